#include "learning/weight_fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace modelmill {
namespace {

double sum_of(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

/// The least of `loss` over a grid of weights of three.
template <typename Loss>
double least_on_grid(const Loss& loss) {
  constexpr int kSteps = 60;
  double least = 1e300;
  for (int a = 0; a <= kSteps; ++a)
    for (int b = 0; a + b <= kSteps; ++b) {
      const double wa = static_cast<double>(a) / kSteps, wb = static_cast<double>(b) / kSteps;
      least = std::min(least, loss(std::vector<double>{wa, wb, 1 - wa - wb}));
    }
  return least;
}

TEST(WeightFitTest, TheMixtureIsTheMostLikelyOne) {
  std::mt19937 engine(7);
  std::uniform_real_distribution<double> uniform(0.01, 1);
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<double> p(3 * 40);
    for (size_t i = 0; i < p.size(); ++i) p[i] = uniform(engine) * (i % 3 == 0 ? 1 : 0.7);
    const auto loss = [&](const std::vector<double>& w) {
      double out = 0;
      for (size_t row = 0; row < 40; ++row)
        out -= std::log(w[0] * p[3 * row] + w[1] * p[3 * row + 1] + w[2] * p[3 * row + 2]) / 40;
      return out;
    };
    const std::vector<double> weights = fit_mixture(p, 3);
    EXPECT_NEAR(sum_of(weights), 1, 1e-9);
    EXPECT_LE(loss(weights), least_on_grid(loss) + 1e-5) << "trial " << trial;
  }
}

TEST(WeightFitTest, TheMeanHasTheLeastSquaredError) {
  std::mt19937 engine(8);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<std::vector<double>> errors(40, std::vector<double>(3));
    for (auto& row : errors) {
      const double shared = normal(engine);
      row = {shared + normal(engine), 0.5 * shared + 2 * normal(engine), -shared + normal(engine)};
    }
    std::vector<double> gram(9);
    for (const auto& row : errors)
      for (size_t i = 0; i < 9; ++i) gram[i] += row[i / 3] * row[i % 3] / 40;
    const auto loss = [&](const std::vector<double>& w) {
      double out = 0;
      for (size_t i = 0; i < 9; ++i) out += w[i / 3] * w[i % 3] * gram[i];
      return out;
    };
    const std::vector<double> weights = fit_mean(gram, 3);
    EXPECT_NEAR(sum_of(weights), 1, 1e-9);
    for (const double weight : weights) EXPECT_GE(weight, 0);
    EXPECT_LE(loss(weights), least_on_grid(loss) + 1e-12) << "trial " << trial;
  }
}

TEST(WeightFitTest, OneThatIsRightGetsAll) {
  EXPECT_EQ(fit_mean(std::vector<double>{0, 0, 0, 4}, 2), (std::vector<double>{1, 0}));
  const std::vector<double> same = fit_mean(std::vector<double>{1, 1, 1, 1}, 2);
  EXPECT_EQ(same, (std::vector<double>{0.5, 0.5})) << "there is nothing to choose";
}

TEST(WeightFitTest, VotersCountByTheirLogOdds) {
  const std::vector<size_t> right{89, 69, 29};
  const std::vector<double> weights = vote_weights(right, 98, 2);
  EXPECT_NEAR(weights[0] / weights[1], std::log(90.0 / 10) / std::log(70.0 / 30), 1e-9);
  EXPECT_EQ(weights[2], 0) << "it is worse than guessing";
  EXPECT_EQ(vote_weights(std::vector<size_t>{1, 1}, 98, 2), (std::vector<double>{0.5, 0.5}));
  EXPECT_GT(vote_weights(right, 98, 10)[2], 0) << "of ten it is better than guessing";
}

TEST(LabelledAnswersTest, FitsASoftVote) {
  LabelledAnswers labelled(Combiner::kSoftVote, 2);
  ASSERT_TRUE(labelled.add({{0.9, 0.1, 0.2, 0.8}, {0.5, 0.5, 0.5, 0.5}}, {int64_t{0}, int64_t{1}}).ok());
  const FittedWeights fitted = labelled.fit({0.5, 0.5});
  EXPECT_EQ(fitted.rows, 2U);
  EXPECT_GT(fitted.weights[0], 0.99);
  EXPECT_NEAR(fitted.before, -(std::log(0.7) + std::log(0.65)) / 2, 1e-9);
  EXPECT_NEAR(fitted.alone[1], -std::log(0.5), 1e-9);
  EXPECT_LT(fitted.after, fitted.before);
  EXPECT_FALSE(labelled.add({{0.9, 0.1}, {0.5, 0.5}}, {int64_t{2}}).ok()) << "there is no such class";
  EXPECT_FALSE(labelled.add({{0.9, 0.1}, {0.5, 0.5}}, {std::string("a")}).ok());
  EXPECT_FALSE(labelled.add({{0.9, 0.1, 0}, {0.5, 0.5, 0}}, {int64_t{0}, int64_t{0}}).ok());
  EXPECT_EQ(labelled.rows(), 2U) << "what is refused doesn't count";
}

TEST(LabelledAnswersTest, FitsAMajority) {
  LabelledAnswers labelled(Combiner::kMajority, 3);
  const auto text = [](const char* label) { return Label{std::string(label)}; };
  for (int i = 0; i < 9; ++i)
    ASSERT_TRUE(labelled.add({text(i == 0 ? "b" : "a"), text("b"), text("b")}, text("a")).ok());
  const FittedWeights fitted = labelled.fit({1.0 / 3, 1.0 / 3, 1.0 / 3});
  EXPECT_EQ(fitted.before, 1);
  EXPECT_NEAR(fitted.after, 1.0 / 9, 1e-9);
  EXPECT_EQ(fitted.weights, (std::vector<double>{1, 0, 0}));
}

TEST(LabelledAnswersTest, FitsAMean) {
  LabelledAnswers labelled(Combiner::kWeighted, 2);
  ASSERT_TRUE(labelled.add({{3.0, 1.0}, {-1.0, int64_t{1}}}, {1.0, 1.0}).ok());
  const FittedWeights fitted = labelled.fit({1, 0});
  EXPECT_NEAR(fitted.weights[0], 0.5, 1e-9);
  EXPECT_NEAR(fitted.before, 2, 1e-9);
  EXPECT_NEAR(fitted.after, 0, 1e-9);
  EXPECT_FALSE(labelled.add({{3.0}, {1.0}}, {1.0, 2.0}).ok());
}

}  // namespace
}  // namespace modelmill
