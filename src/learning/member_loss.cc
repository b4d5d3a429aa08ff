#include "learning/member_loss.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>

#include "tensor/float_element.h"

namespace modelmill {
namespace {

template <typename T>
T at(std::string_view data, size_t i) {
  T value;
  std::memcpy(&value, data.data() + i * sizeof value, sizeof value);
  return value;
}

double real_at(std::string_view data, DataType dtype, size_t i) {
  return dtype == DataType::kFp64 ? at<double>(data, i) : double{at<float>(data, i)};
}

/// Of UINT64 the bits.
int64_t whole_at(std::string_view data, DataType dtype, size_t i) {
  switch (dtype) {
    case DataType::kBool:
    case DataType::kUint8: return at<uint8_t>(data, i);
    case DataType::kInt8: return at<int8_t>(data, i);
    case DataType::kUint16: return at<uint16_t>(data, i);
    case DataType::kInt16: return at<int16_t>(data, i);
    case DataType::kUint32: return at<uint32_t>(data, i);
    case DataType::kInt32: return at<int32_t>(data, i);
    default: return at<int64_t>(data, i);
  }
}

std::optional<int64_t> whole_of(const LabelElement& element) {
  if (const auto* whole = std::get_if<int64_t>(&element)) return *whole;
  const auto* real = std::get_if<double>(&element);
  if (real == nullptr || *real != std::floor(*real) || std::abs(*real) > 0x1p53) return std::nullopt;
  return static_cast<int64_t>(*real);
}

std::optional<double> real_of(const LabelElement& element) {
  if (const auto* real = std::get_if<double>(&element)) return *real;
  if (const auto* whole = std::get_if<int64_t>(&element)) return static_cast<double>(*whole);
  return std::nullopt;
}

Status check_count(size_t label, size_t answer, const char* what) {
  if (label == answer) return ok_status();
  return invalid_argument("'label' has " + std::to_string(label) + " elements, and the answer has " +
                          std::to_string(answer) + " " + what + "; give one for each");
}

/// What one that gives NaN is charged, and no more than that.
double charged(double loss) { return loss >= 0 ? std::min(loss, 1.0) : 1.0; }

Result<std::vector<double>> distance_losses(const MemberAnswers& answers, const std::vector<double>& truth,
                                            const LossRule& rule) {
  std::vector<double> out;
  for (const std::string& data : answers.data) {
    double sum = 0;
    for (size_t i = 0; i < truth.size(); ++i) {
      const double distance = std::abs(real_at(data, answers.dtype, i) - truth[i]) / rule.range;
      sum += charged(rule.loss == MemberLoss::kSquared ? distance * distance : distance);
    }
    out.push_back(sum / static_cast<double>(truth.size()));
  }
  return out;
}

/// Of one row: half the squared distance, or whether another class has the most.
double class_loss(std::string_view data, DataType dtype, size_t classes, size_t row, size_t truth, MemberLoss loss) {
  double squares = 0;
  size_t best = 0;
  for (size_t k = 0; k < classes; ++k) {
    const double p = real_at(data, dtype, row * classes + k);
    if (std::isnan(p)) return 1;
    const double off = p - (k == truth ? 1 : 0);
    squares += off * off;
    if (p > real_at(data, dtype, row * classes + best)) best = k;
  }
  if (loss == MemberLoss::kZeroOne) return best == truth ? 0 : 1;
  return charged(squares / 2);
}

Result<std::vector<double>> class_losses(const MemberAnswers& answers, const Label& label, size_t elements,
                                         const LossRule& rule) {
  const size_t classes = answers.shape.empty() ? 0 : static_cast<size_t>(answers.shape.back());
  if (classes == 0) return failed_precondition("the answer has no classes");
  MM_RETURN_IF_ERROR(check_count(label.size(), elements / classes, "rows"));
  std::vector<size_t> truth;
  for (const LabelElement& element : label) {
    const std::optional<int64_t> one = whole_of(element);
    if (!one || *one < 0 || static_cast<size_t>(*one) >= classes)
      return invalid_argument("'label' must be the number of a class, from 0 to " + std::to_string(classes - 1));
    truth.push_back(static_cast<size_t>(*one));
  }
  std::vector<double> out;
  for (const std::string& data : answers.data) {
    double sum = 0;
    for (size_t row = 0; row < truth.size(); ++row)
      sum += class_loss(data, answers.dtype, classes, row, truth[row], rule.loss);
    out.push_back(sum / static_cast<double>(truth.size()));
  }
  return out;
}

Result<std::vector<double>> text_losses(const MemberAnswers& answers, const Label& label) {
  std::vector<double> out;
  for (const std::string& data : answers.data) {
    size_t wrong = 0, place = 0;
    for (const LabelElement& element : label) {
      const auto* text = std::get_if<std::string>(&element);
      if (text == nullptr) return invalid_argument("'label' must be texts, as the members' answers are");
      if (data.size() - place < sizeof(uint32_t)) return internal("an answer has fewer strings than its shape says");
      const size_t length = at<uint32_t>(std::string_view(data).substr(place), 0);
      place += sizeof(uint32_t);
      if (data.size() - place < length) return internal("an answer has fewer strings than its shape says");
      wrong += std::string_view(data).substr(place, length) != *text ? 1 : 0;
      place += length;
    }
    out.push_back(static_cast<double>(wrong) / static_cast<double>(label.size()));
  }
  return out;
}

Result<std::vector<double>> label_losses(const MemberAnswers& answers, const Label& label) {
  if (answers.dtype == DataType::kBytes) return text_losses(answers, label);
  std::vector<int64_t> truth;
  for (const LabelElement& element : label) {
    const std::optional<int64_t> one = whole_of(element);
    if (!one) return invalid_argument("'label' must be whole numbers, as the members' answers are");
    truth.push_back(*one);
  }
  std::vector<double> out;
  for (const std::string& data : answers.data) {
    size_t wrong = 0;
    for (size_t i = 0; i < truth.size(); ++i) wrong += whole_at(data, answers.dtype, i) != truth[i] ? 1 : 0;
    out.push_back(static_cast<double>(wrong) / static_cast<double>(truth.size()));
  }
  return out;
}

/// What the losses of the combiner can read.
bool can_combine(Combiner combiner, DataType dtype) {
  if (combiner == Combiner::kMajority) return dtype != DataType::kInvalid && !is_float(dtype);
  return dtype == DataType::kFp32 || dtype == DataType::kFp64;
}

}  // namespace

Result<std::vector<double>> member_losses(const MemberAnswers& answers, const Label& label, const LossRule& rule) {
  const auto elements = static_cast<size_t>(element_count(dims(answers.shape)).value_or(0));
  if (elements == 0) return failed_precondition("the answer has no elements, so nothing can be said of it");
  if (const size_t size = dtype_size(answers.dtype); size > 0)
    for (const std::string& data : answers.data)
      if (data.size() != elements * size) return internal("an answer has other bytes than its shape says");
  if (!can_combine(rule.combiner, answers.dtype))
    return failed_precondition(
        "the answer is of another configuration of the ensemble: " + std::string(dtype_name(answers.dtype)) +
        " is nothing for " + std::string(combiner_name(rule.combiner)));
  if (rule.combiner == Combiner::kSoftVote) return class_losses(answers, label, elements, rule);
  MM_RETURN_IF_ERROR(check_count(label.size(), elements, elements == 1 ? "element" : "elements"));
  if (rule.combiner == Combiner::kMajority) return label_losses(answers, label);
  std::vector<double> truth;
  for (const LabelElement& element : label) {
    const std::optional<double> one = real_of(element);
    if (!one || !std::isfinite(*one)) return invalid_argument("'label' must be numbers, as the members' answers are");
    truth.push_back(*one);
  }
  return distance_losses(answers, truth, rule);
}

}  // namespace modelmill
