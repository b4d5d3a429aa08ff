#include "booster.h"

#include <fstream>

namespace modelmill::lightgbm {
namespace {

using backend::Error;
using backend::Quantity;

/// Up to so many rows are predicted one by one: a call for many prepares itself anew each time.
constexpr int64_t kOneByOne = 32;

int type_number(Quantity quantity) {
  switch (quantity) {
    case Quantity::kMargin: return kPredictMargin;
    case Quantity::kLeaf: return kPredictLeaf;
    case Quantity::kContributions: return kPredictContributions;
    default: return kPredictValue;
  }
}

/// The value of a key in the head of a model file, before its first tree.
std::string header_value(const std::string& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line) && !line.starts_with("Tree=");)
    if (line.starts_with(key + "=")) return line.substr(key.size() + 1);
  return {};
}

class LightgbmPredictor final : public backend::Predictor {
 public:
  LightgbmPredictor(const LightgbmBooster& booster, mm_dtype input)
      : booster_(booster),
        data_type_(input == MM_FP64 ? kFloat64 : kFloat32),
        columns_(static_cast<int32_t>(booster.facts().features)),
        row_bytes_(static_cast<uint64_t>(columns_) * backend::element_size(input)),
        row_results_(backend::element_count(booster.row_shape())),
        parameters_("num_threads=" + std::to_string(booster.threads())) {
    check(api.prepare_fast(booster.handle(), booster.predict_type(), 0, booster.iterations(), data_type_, columns_,
                           parameters_.c_str(), &fast_));
  }
  ~LightgbmPredictor() override { api.free_fast(fast_); }

  const void* predict(const void* rows, int64_t count) override {
    auto* results =
        reinterpret_cast<double*>(results_.reserve(static_cast<uint64_t>(count) * row_results_ * sizeof(double)));
    int64_t given = 0;
    if (count > kOneByOne) {
      check(api.predict_rows(booster_.handle(), rows, data_type_, static_cast<int32_t>(count), columns_, 1,
                             booster_.predict_type(), 0, booster_.iterations(), parameters_.c_str(), &given, results));
      return results;
    }
    for (int64_t i = 0; i < count; ++i)
      check(api.predict_fast(fast_, static_cast<const std::byte*>(rows) + static_cast<uint64_t>(i) * row_bytes_, &given,
                             results + static_cast<uint64_t>(i) * row_results_));
    return results;
  }

 private:
  const LightgbmBooster& booster_;
  const int data_type_;
  const int32_t columns_;
  const uint64_t row_bytes_;
  const uint64_t row_results_;
  const std::string parameters_;
  FastHandle fast_ = nullptr;
  backend::Buffer results_;
};

}  // namespace

LightgbmBooster::LightgbmBooster(const std::string& file, const backend::TreeOptions& options)
    : threads_(options.threads), predict_type_(type_number(options.quantity())) {
  try {
    int iterations = 0;
    check(api.load(file.c_str(), &iterations, &handle_));
    if (options.iterations.value_or(0) > 0) iterations_ = static_cast<int>(*options.iterations);
    read_facts(file);
  } catch (const Error& e) {
    if (handle_ != nullptr) api.free(handle_);
    throw Error(MM_INVALID_ARGUMENT, "file " + file + " can't be loaded: " + e.what());
  }
}

LightgbmBooster::~LightgbmBooster() { api.free(handle_); }

void LightgbmBooster::read_facts(const std::string& file) {
  int features = 0, classes = 0;
  check(api.feature_count(handle_, &features));
  check(api.class_count(handle_, &classes));
  facts_.features = features;
  // Twice: how long the longest name is, and then the names.
  int count = 0;
  size_t longest = 0;
  check(api.feature_names(handle_, 0, &count, 0, &longest, nullptr));
  std::vector<std::string> names(static_cast<size_t>(count), std::string(longest, '\0'));
  std::vector<char*> places;
  for (std::string& name : names) places.push_back(name.data());
  check(api.feature_names(handle_, count, &count, longest, &longest, places.data()));
  for (std::string& name : names) name.resize(std::strlen(name.c_str()));
  facts_.feature_names = std::move(names);
  const std::string objective = header_value(file, "objective");
  facts_.objective = objective.substr(0, objective.find(' '));
  facts_.multiclass = facts_.objective == "multiclass" || facts_.objective == "multiclassova";
  facts_.classifier = facts_.multiclass || facts_.objective == "binary";
  facts_.probabilities = facts_.classifier;
  int64_t results = 0;
  check(api.result_count(handle_, 1, predict_type_, 0, iterations_, &results));
  const bool vector = predict_type_ == kPredictLeaf || predict_type_ == kPredictContributions || classes > 1;
  if (vector) row_shape_.push_back(results);
}

std::unique_ptr<backend::Predictor> LightgbmBooster::make_predictor(mm_dtype input) const {
  return std::make_unique<LightgbmPredictor>(*this, input);
}

}  // namespace modelmill::lightgbm
