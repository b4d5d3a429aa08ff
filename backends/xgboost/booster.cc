#include "booster.h"

#include <fstream>
#include <sstream>

namespace modelmill::xgboost {
namespace {

using backend::Error;
using backend::Json;
using backend::Quantity;

std::string read_all(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  if (!in) throw Error(MM_NOT_FOUND, "file " + file + " can't be read");
  return std::move(bytes).str();
}

/// The library's number for a kind of prediction.
int type_number(Quantity quantity) {
  switch (quantity) {
    case Quantity::kMargin: return 1;
    case Quantity::kContributions: return 2;
    case Quantity::kLeaf: return 6;
    default: return 0;
  }
}

/// Rows in memory, in NumPy's __array_interface__.
std::string array_text(const void* rows, int64_t count, int64_t features, mm_dtype type) {
  std::string out = "{\"data\":[" + std::to_string(reinterpret_cast<uintptr_t>(rows)) + ",true],\"shape\":[";
  out += std::to_string(count) + ',' + std::to_string(features);
  out += type == MM_FP64 ? "],\"typestr\":\"<f8\",\"version\":3}" : "],\"typestr\":\"<f4\",\"version\":3}";
  return out;
}

class XgboostPredictor final : public backend::Predictor {
 public:
  XgboostPredictor(const XgboostBooster& booster, mm_dtype input) : booster_(booster), input_(input) {
    check(api.make_proxy(&proxy_));
  }
  ~XgboostPredictor() override { api.free_matrix(proxy_); }
  const void* predict(const void* rows, int64_t count) override {
    return booster_.predict(array_text(rows, count, booster_.facts().features, input_), proxy_);
  }

 private:
  const XgboostBooster& booster_;
  const mm_dtype input_;
  MatrixHandle proxy_ = nullptr;
};

/// Frees a matrix at the end of its scope.
struct Matrix {
  explicit Matrix(const std::string& array, int threads) {
    const std::string config = "{\"missing\":NaN,\"nthread\":" + std::to_string(threads) + "}";
    check(api.make_matrix(array.c_str(), config.c_str(), &handle));
  }
  Matrix(const Matrix&) = delete;
  Matrix& operator=(const Matrix&) = delete;
  ~Matrix() { api.free_matrix(handle); }
  MatrixHandle handle = nullptr;
};

}  // namespace

XgboostBooster::XgboostBooster(const std::string& file, const backend::TreeOptions& options)
    : threads_(options.threads) {
  check(api.create(nullptr, 0, &handle_));
  try {
    const std::string bytes = read_all(file);
    check(api.load_from_buffer(handle_, bytes.data(), bytes.size()));
    check(api.set_parameter(handle_, "nthread", std::to_string(threads_).c_str()));
    check(api.set_parameter(handle_, "device", "cpu"));
    read_facts();
    choose(options);
    find_row_shape();
  } catch (const Error& e) {
    api.free(handle_);
    throw Error(MM_INVALID_ARGUMENT, "file " + file + " can't be loaded: " + e.what());
  }
}

XgboostBooster::~XgboostBooster() { api.free(handle_); }

void XgboostBooster::read_facts() {
  uint64_t features = 0;
  check(api.feature_count(handle_, &features));
  facts_.features = static_cast<int64_t>(features);
  uint64_t count = 0;
  const char** names = nullptr;
  check(api.feature_info(handle_, "feature_name", &count, &names));
  facts_.feature_names.assign(names, names + count);
  uint64_t size = 0;
  const char* text = nullptr;
  check(api.save_config(handle_, &size, &text));
  const Json config = Json::parse({text, size});
  facts_.objective = config["learner"]["objective"]["name"].text();
  linear_ = config["learner"]["gradient_booster"]["name"].text() == "gblinear";
  facts_.multiclass = facts_.objective.starts_with("multi:");
  facts_.classifier = facts_.multiclass || facts_.objective.starts_with("binary:");
  facts_.probabilities = facts_.multiclass || facts_.objective == "binary:logistic";
  const char* estimator = nullptr;
  int found = 0;
  check(api.attribute(handle_, "scikit_learn", &estimator, &found));
  facts_.saved_classifier =
      found != 0 && std::string_view(estimator).find("\"classifier\"") != std::string_view::npos && facts_.classifier;
}

void XgboostBooster::choose(const backend::TreeOptions& options) {
  const Quantity quantity = options.quantity();
  if (quantity == Quantity::kProbabilities && facts_.objective == "multi:softmax")
    check(api.set_parameter(handle_, "objective", "multi:softprob"));
  in_place_ = !linear_ && (quantity != Quantity::kLeaf && quantity != Quantity::kContributions);
  // As the framework's own: an estimator stops at its best iteration, a bare booster uses all.
  int64_t rounds = options.iterations.value_or(0);
  const char* estimator = nullptr;
  const char* best = nullptr;
  int estimated = 0, stopped = 0;
  check(api.attribute(handle_, "scikit_learn", &estimator, &estimated));
  check(api.attribute(handle_, "best_iteration", &best, &stopped));
  if (!options.iterations && estimated != 0 && stopped != 0 && !linear_) rounds = std::strtoll(best, nullptr, 10) + 1;
  predict_config_ = "{\"type\":" + std::to_string(type_number(quantity)) +
                    ",\"training\":false,\"iteration_begin\":0,\"iteration_end\":" + std::to_string(rounds) +
                    ",\"strict_shape\":false,\"missing\":NaN,\"cache_id\":0}";
}

/// By a prediction, which also makes the booster complete its configuration before others use it at once.
void XgboostBooster::find_row_shape() {
  constexpr int64_t kRows = 2;
  const std::vector<float> rows(static_cast<size_t>(kRows * facts_.features));
  const std::string array = array_text(rows.data(), kRows, facts_.features, MM_FP32);
  const uint64_t* shape = nullptr;
  uint64_t rank = 0;
  const float* result = nullptr;
  if (in_place_) {
    check(api.predict_dense(handle_, array.c_str(), predict_config_.c_str(), nullptr, &shape, &rank, &result));
  } else {
    const Matrix matrix(array, threads_);
    check(api.predict_matrix(handle_, matrix.handle, predict_config_.c_str(), &shape, &rank, &result));
  }
  if (rank == 0 || shape[0] != static_cast<uint64_t>(kRows))
    throw Error(MM_INTERNAL, "XGBoost gives no row for each row of the input");
  for (uint64_t i = 1; i < rank; ++i) row_shape_.push_back(static_cast<int64_t>(shape[i]));
}

const float* XgboostBooster::predict(const std::string& array, MatrixHandle proxy) const {
  const uint64_t* shape = nullptr;
  uint64_t rank = 0;
  const float* result = nullptr;
  if (in_place_) {
    check(api.predict_dense(handle_, array.c_str(), predict_config_.c_str(), proxy, &shape, &rank, &result));
    return result;
  }
  const Matrix matrix(array, threads_);
  const std::lock_guard lock(mutex_);
  check(api.predict_matrix(handle_, matrix.handle, predict_config_.c_str(), &shape, &rank, &result));
  return result;
}

std::unique_ptr<backend::Predictor> XgboostBooster::make_predictor(mm_dtype input) const {
  return std::make_unique<XgboostPredictor>(*this, input);
}

}  // namespace modelmill::xgboost
