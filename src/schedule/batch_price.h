#pragma once

#include <cstdint>

#include "base/clock.h"
#include "schedule/batch_policy.h"
#include "schedule/cost_curve.h"

namespace modelmill {

/// What batches cost under a policy: those that are filled up to an allowed size cost what that does. A view of both,
/// for the call.
class BatchPrice {
 public:
  BatchPrice(const BatchPolicy& policy, const CostCurve& cost) : policy_(policy), cost_(cost) {}

  bool known() const { return cost_.known(); }
  /// As CostCurve's, of a batch of so many requested rows.
  Duration expected(int64_t rows) const { return cost_.expected(policy_.filled(rows)); }
  Duration p99(int64_t rows) const { return cost_.p99(policy_.filled(rows)); }
  /// Requested rows a second of one instance.
  double rate(int64_t rows) const;
  /// How many rows the next batch may have, or be filled up to: CostCurve::limit().
  int64_t limit() const;

  /// The most rows of a batch that holds the objective: two executions of it, the one that a request finds running and
  /// its own, are within the `share` of it that may be planned with. At least 1; max_rows where nothing is known.
  int64_t rows_within_objective(double share) const;
  /// Whether even a request that runs alone is within it so.
  bool can_hold(double share) const;

  const BatchPolicy& policy() const { return policy_; }

 private:
  const BatchPolicy& policy_;
  const CostCurve& cost_;
};

/// How long a batch of `rows` rows that holds an objective is to wait for more, until it may have `limit`, where
/// `arrivals` come in a second; 0: not at all, for too few would come in the time there is, or bring too little.
Duration time_to_wait(const BatchPrice& price, int64_t rows, int64_t limit, double arrivals, double share);

}  // namespace modelmill
