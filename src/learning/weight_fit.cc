#include "learning/weight_fit.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

namespace modelmill {
namespace {

constexpr double kLeastLikelihood = 1e-15;
constexpr int kMostRounds = 5'000;
constexpr double kNearEnough = 1e-6;

double mixed(std::span<const double> row, std::span<const double> weights) {
  double sum = 0;
  for (size_t i = 0; i < row.size(); ++i) sum += weights[i] * row[i];
  return sum;
}

std::vector<double> equal_weights(size_t members) {
  return std::vector<double>(members, 1.0 / static_cast<double>(members));
}

std::optional<double> number_in(const LabelElement& element) {
  if (const auto* real = std::get_if<double>(&element)) return *real;
  if (const auto* whole = std::get_if<int64_t>(&element)) return static_cast<double>(*whole);
  return std::nullopt;
}

/// 2.0 is the label 2.
LabelElement plain(const LabelElement& element) {
  const auto* real = std::get_if<double>(&element);
  if (real == nullptr || *real != std::floor(*real) || std::abs(*real) > 0x1p53) return element;
  return static_cast<int64_t>(*real);
}

Status check_elements(size_t answer, size_t truth) {
  if (answer == truth) return ok_status();
  return invalid_argument("'label' has " + std::to_string(truth) + " elements, and the answer has " +
                          std::to_string(answer) + "; give one for each");
}

}  // namespace

std::vector<double> fit_mixture(std::span<const double> likelihoods, size_t members) {
  std::vector<double> weights = equal_weights(members), gains(members);
  const size_t rows = likelihoods.size() / members;
  for (int round = 0; round < kMostRounds; ++round) {
    std::fill(gains.begin(), gains.end(), 0);
    for (size_t row = 0; row < rows; ++row) {
      const auto one = likelihoods.subspan(row * members, members);
      const double all = mixed(one, weights);
      for (size_t i = 0; i < members; ++i) gains[i] += one[i] / all;
    }
    for (double& gain : gains) gain /= static_cast<double>(rows);
    // The loss is convex, so no weights are better than these by more than that.
    if (*std::max_element(gains.begin(), gains.end()) - 1 < kNearEnough) break;
    for (size_t i = 0; i < members; ++i) weights[i] *= gains[i];
  }
  return weights;
}

std::vector<double> fit_mean(std::span<const double> gram, size_t members) {
  std::vector<double> weights = equal_weights(members), slopes(members);
  for (int round = 0; round < kMostRounds; ++round) {
    for (size_t i = 0; i < members; ++i) slopes[i] = mixed(gram.subspan(i * members, members), weights);
    const auto to = static_cast<size_t>(std::min_element(slopes.begin(), slopes.end()) - slopes.begin());
    size_t from = to;
    for (size_t i = 0; i < members; ++i)
      if (weights[i] > 0 && slopes[i] > slopes[from]) from = i;
    const double gap = slopes[from] - slopes[to];
    const double curve = gram[from * members + from] + gram[to * members + to] - 2 * gram[from * members + to];
    if (gap <= 1e-14 * std::abs(gram[from * members + from]) || curve <= 0) break;
    const double step = std::min(weights[from], gap / curve);
    weights[to] += step;
    weights[from] = step == weights[from] ? 0 : weights[from] - step;
  }
  return weights;
}

std::vector<double> vote_weights(std::span<const size_t> right, size_t rows, size_t classes) {
  std::vector<double> out;
  double sum = 0;
  const double others = std::log(static_cast<double>(std::max<size_t>(classes, 2) - 1));
  for (const size_t count : right) {
    const double good = static_cast<double>(count) + 1, bad = static_cast<double>(rows - count) + 1;
    out.push_back(std::max(0.0, std::log(good / bad) + others));
    sum += out.back();
  }
  if (sum <= 0) return equal_weights(right.size());
  for (double& weight : out) weight /= sum;
  return out;
}

Status LabelledAnswers::add(const std::vector<Label>& answers, const Label& truth) {
  for (const Label& answer : answers)
    if (answer.size() != answers.front().size())
      return invalid_argument("members gave answers of different sizes, which can't be combined");
  if (answers.front().empty()) return invalid_argument("the answer has no elements");
  if (combiner_ == Combiner::kSoftVote) return add_classes(answers, truth);
  MM_RETURN_IF_ERROR(check_elements(answers.front().size(), truth.size()));
  return combiner_ == Combiner::kMajority ? add_votes(answers, truth) : add_numbers(answers, truth);
}

Status LabelledAnswers::add_classes(const std::vector<Label>& answers, const Label& truth) {
  const size_t elements = answers.front().size();
  if (truth.empty() || elements % truth.size() != 0)
    return invalid_argument("'label' has " + std::to_string(truth.size()) + " elements, and the answer's " +
                            std::to_string(elements) + " probabilities are not so many rows");
  const size_t classes = elements / truth.size();
  std::vector<double> fresh;
  for (size_t row = 0; row < truth.size(); ++row) {
    const std::optional<double> known = number_in(truth[row]);
    if (!known || !(*known >= 0 && *known < static_cast<double>(classes)) || *known != std::floor(*known))
      return invalid_argument("'label' must be the number of a class, from 0 to " + std::to_string(classes - 1));
    for (const Label& answer : answers) {
      const std::optional<double> p = number_in(answer[row * classes + static_cast<size_t>(*known)]);
      if (!p) return invalid_argument("a member's answer has elements that are no numbers");
      fresh.push_back(*p > kLeastLikelihood ? *p : kLeastLikelihood);  // a NaN says nothing
    }
  }
  likelihoods_.insert(likelihoods_.end(), fresh.begin(), fresh.end());
  rows_ += truth.size();
  return ok_status();
}

Status LabelledAnswers::add_numbers(const std::vector<Label>& answers, const Label& truth) {
  products_.resize(members_ * members_);
  std::vector<double> errors;
  for (size_t row = 0; row < truth.size(); ++row)
    for (const Label& answer : answers) {
      const std::optional<double> said = number_in(answer[row]), known = number_in(truth[row]);
      if (!said || !known) return invalid_argument("'label' and the members' answers must be numbers");
      errors.push_back(*said - *known);
    }
  for (size_t row = 0; row < truth.size(); ++row)
    for (size_t i = 0; i < members_; ++i)
      for (size_t j = 0; j < members_; ++j)
        products_[i * members_ + j] += errors[row * members_ + i] * errors[row * members_ + j];
  rows_ += truth.size();
  return ok_status();
}

Status LabelledAnswers::add_votes(const std::vector<Label>& answers, const Label& truth) {
  for (size_t row = 0; row < truth.size(); ++row) {
    for (const Label& answer : answers) {
      votes_.push_back(plain(answer[row]));
      classes_.insert(votes_.back());
    }
    truths_.push_back(plain(truth[row]));
    classes_.insert(truths_.back());
  }
  rows_ += truth.size();
  return ok_status();
}

/// As `combine: majority` does it: of labels with the same weight that which was said first.
double LabelledAnswers::error_rate(const std::vector<double>& weights) const {
  size_t wrong = 0;
  for (size_t row = 0; row < rows_; ++row) {
    const auto said = std::span(votes_).subspan(row * members_, members_);
    size_t best = 0;
    double most = -1;
    for (size_t i = 0; i < members_; ++i) {
      double votes = 0;
      for (size_t j = 0; j < members_; ++j) votes += said[j] == said[i] ? weights[j] : 0;
      if (votes <= most) continue;
      best = i;
      most = votes;
    }
    wrong += said[best] == truths_[row] ? 0 : 1;
  }
  return static_cast<double>(wrong) / static_cast<double>(rows_);
}

double LabelledAnswers::loss(const std::vector<double>& weights) const {
  if (combiner_ == Combiner::kMajority) return error_rate(weights);
  double sum = 0;
  if (combiner_ == Combiner::kSoftVote) {
    for (size_t row = 0; row < rows_; ++row)
      sum -= std::log(
          std::max(mixed(std::span(likelihoods_).subspan(row * members_, members_), weights), kLeastLikelihood));
  } else {
    for (size_t i = 0; i < members_; ++i)
      sum += weights[i] * mixed(std::span(products_).subspan(i * members_, members_), weights);
  }
  return sum / static_cast<double>(rows_);
}

FittedWeights LabelledAnswers::fit(const std::vector<double>& before) const {
  FittedWeights out;
  out.rows = rows_;
  if (combiner_ == Combiner::kSoftVote) {
    out.weights = fit_mixture(likelihoods_, members_);
  } else if (combiner_ == Combiner::kMajority) {
    std::vector<size_t> right(members_);
    for (size_t i = 0; i < votes_.size(); ++i) right[i % members_] += votes_[i] == truths_[i / members_] ? 1 : 0;
    out.weights = vote_weights(right, rows_, classes_.size());
  } else {
    out.weights = fit_mean(products_, members_);
  }
  out.before = loss(before);
  out.after = loss(out.weights);
  for (size_t i = 0; i < members_; ++i) {
    std::vector<double> one(members_, 0);
    one[i] = 1;
    out.alone.push_back(loss(one));
  }
  return out;
}

const char* LabelledAnswers::loss_text() const {
  if (combiner_ == Combiner::kMajority) return "error rate";
  return combiner_ == Combiner::kSoftVote ? "log loss" : "squared error";
}

}  // namespace modelmill
