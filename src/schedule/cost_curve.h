#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "catalog/learned_cost.h"

namespace modelmill {

/// The time of an execution as a function of its rows, learned from executions: of one version, on one kind of
/// instance, for inputs of one shape class; and how many rows are worth running together. Not synchronised; knows no
/// clock.
///
/// Sizes fall into classes (2^(k-1), 2^k]. Each keeps a moving mean of the last executions and a histogram of times,
/// halved when it is full, so that what is old fades. Larger batches are explored by powers of two, each once the one
/// before is known and as long as it lost little; and now and then a neighbour of the best is looked at again, for
/// machines and loads change.
class CostCurve {
 public:
  static constexpr Duration kUnknown = Duration::max();
  /// What handing a batch over costs beside its execution: two switches of threads.
  static constexpr double kHandOverNs = 5'000;
  /// Times are told as the ends of cells, of which so many lie between a time and the double of it.
  static constexpr int kCellsForEachDouble = 3;

  explicit CostCurve(int64_t max_rows);

  /// An execution of `rows` rows took `time`.
  void learn(int64_t rows, Duration time);
  /// What an earlier life learned. Counts little beside what is learned now.
  void seed(std::span<const CostPoint> points);

  /// Takes over what another shape class has learned, until the first execution: that one scales it.
  void borrow(const CostCurve& other);

  bool known() const { return learned_ > 0; }
  /// The mean time of an execution: between what is known as if linear, above it as if each row cost the same.
  /// kUnknown before the first.
  Duration expected(int64_t rows) const;
  /// Its 99th percentile, not below the truth by more than what was learned allows. kUnknown before the first.
  Duration p99(int64_t rows) const;
  /// Rows a second of one instance that runs batches of this size one after another. 0 before the first execution.
  double rate(int64_t rows) const;

  /// The fewest rows together that give nearly the best rate that is known.
  int64_t worth() const { return worth_; }
  /// How many rows the next batch may have: worth(), or one power of two more (rarely less) to learn about it.
  int64_t limit() const;
  /// True once no larger batch has to be tried to know worth().
  bool explored() const { return probe_ == 0; }

  std::vector<CostPoint> points() const;

 private:
  /// Executions that say what a size costs.
  static constexpr int64_t kEnough = 3;

  /// Times by powers of the cube root of two microseconds.
  struct Histogram {
    static constexpr size_t kCells = 26 * kCellsForEachDouble;  // up to a minute
    static constexpr uint32_t kFull = 1024;
    std::array<uint16_t, kCells> cells{};
    uint32_t total = 0;

    void add(Duration time, uint16_t times = 1);
    Duration quantile(double q) const;
  };

  struct SizeClass {
    double rows = 0;
    double ns = 0;
    int64_t executions = 0;  // that count
    int64_t all = 0;         // that there were
    int64_t seen = 0;        // when, in executions of all sizes, this size was last run
    Histogram times;

    double rate() const;
  };

  static size_t class_of(int64_t rows);
  void add(SizeClass& c, int64_t rows, double ns);
  void scale(double factor);
  const SizeClass* last_known() const;
  void decide();

  int64_t max_rows_;
  std::vector<SizeClass> classes_;
  int64_t learned_ = 0;
  bool borrowed_ = false;
  int64_t worth_ = 1;
  int64_t probe_ = 1;  // the size to be tried next; 0: none
};

}  // namespace modelmill
