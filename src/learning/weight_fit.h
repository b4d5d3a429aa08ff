#pragma once

#include <cstddef>
#include <set>
#include <span>
#include <vector>

#include "base/status.h"
#include "learning/member_loss.h"
#include "model/ensemble_definition.h"

namespace modelmill {

/// The shares of a mixture under which what happened is most likely: by expectation maximisation, whose steps multiply
/// each share by how much it explains; it ends within 1e-6 nats of the least loss, or
/// after 5,000 rounds. `likelihoods` has, row by row, one for each of `members`, above 0.
std::vector<double> fit_mixture(std::span<const double> likelihoods, size_t members);

/// The weights, from 0 and 1 together, of the least squared error: pairwise Frank-Wolfe with exact steps
/// (Lacoste-Julien and Jaggi, *On the global linear convergence of Frank-Wolfe optimization variants*, 2015). `gram`
/// has the mean products of the members' errors.
std::vector<double> fit_mean(std::span<const double> gram, size_t members);

/// The log odds of being right, against guessing among `classes`, which are the best weights of voters who err
/// independently (Nitzan and Paroush, *Optimal decision rules in uncertain dichotomous choice situations*, 1982);
/// accuracies are shrunk as if each had been right once and wrong once more. Who is no better than guessing gets 0;
/// where all are, all get the same. They sum to 1.
std::vector<double> vote_weights(std::span<const size_t> right, size_t rows, size_t classes);

/// What was found to be best.
struct FittedWeights {
  std::vector<double> weights;
  size_t rows = 0;
  double before = 0, after = 0;  // the loss of all together: by the weights that were given, and by these
  std::vector<double> alone;     // of each member
};

/// What members said to inputs of which the truth is known. For one thread at a time.
class LabelledAnswers {
 public:
  LabelledAnswers(Combiner combiner, size_t members) : combiner_(combiner), members_(members) {}

  /// Elements are one after the other. INVALID_ARGUMENT: they don't suit each other.
  Status add(const std::vector<Label>& answers, const Label& truth);
  size_t rows() const { return rows_; }

  /// The loss is log loss (nats) of a soft vote, the mean squared error of a weighted mean, the share of wrong answers
  /// of a majority. Needs rows.
  FittedWeights fit(const std::vector<double>& before) const;
  /// "log loss", "squared error", "error rate".
  const char* loss_text() const;

 private:
  Status add_classes(const std::vector<Label>& answers, const Label& truth);
  Status add_numbers(const std::vector<Label>& answers, const Label& truth);
  Status add_votes(const std::vector<Label>& answers, const Label& truth);
  double loss(const std::vector<double>& weights) const;
  double error_rate(const std::vector<double>& weights) const;

  const Combiner combiner_;
  const size_t members_;
  size_t rows_ = 0;
  std::vector<double> likelihoods_;   // of a soft vote
  std::vector<double> products_;      // of a mean: sums
  std::vector<LabelElement> votes_;   // of a majority
  std::vector<LabelElement> truths_;  // by row
  std::set<LabelElement> classes_;
};

}  // namespace modelmill
