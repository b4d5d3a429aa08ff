#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace modelmill::ov {

/// Decides, for one instance, which shapes of inputs get a compiled model of their own, from what executions cost. A
/// model of open sizes pays for each change of shape; one that is compiled for a shape does not.
///
/// A shape is worth a try once its executions have cost as much as compiling does, or, where the same with another
/// number of rows has a model that paid, after a few: the server tries other batch sizes rarely, and would never learn
/// what they cost with a model of theirs. The own model then has to show that it costs a tenth less; where it does not,
/// no other shape is tried. Not synchronised; knows no clock.
class ShapeLedger {
 public:
  /// Shapes that have models of their own at a time; what comes beside them runs on the open one.
  static constexpr size_t kMostOwn = 4;
  /// Shapes that are known at a time.
  static constexpr size_t kPlaces = 16;

  /// What is to be done after an execution.
  struct Step {
    bool make = false;           // a model for the shape of that execution
    std::optional<size_t> drop;  // the own model of this place
  };

  explicit ShapeLedger(double compile_seconds) : compile_seconds_(compile_seconds) { entries_.reserve(kPlaces); }

  /// The place of a shape that is about to run, below kPlaces. A place with a model of its own keeps its shape until
  /// that is dropped.
  size_t meet(std::span<const int64_t> shape);
  /// Whether ran() wants to know what an execution costs.
  bool measures(size_t place) const;
  /// An execution, on the shape's own model if there is one, has cost so much.
  Step ran(size_t place, double seconds);
  /// What ran() has asked for is there, or can't be had.
  void made(size_t place, bool ok);

 private:
  enum class State { kOpen, kMaking, kTried, kKept, kRefused };
  struct Cost {
    int runs = -1;  // the first one prepares and does not count
    double seconds = 0;
    void add(double more) {
      if (++runs > 0) seconds += more;
    }
    double mean() const { return runs > 0 ? seconds / runs : 0; }
  };
  struct Entry {
    std::vector<int64_t> shape;
    State state = State::kOpen;
    Cost open, own;
    uint64_t met = 0;
  };

  bool is_due(const Entry& entry) const;
  bool room(Step& step) const;
  static bool has_own(const Entry& entry) {
    return entry.state == State::kMaking || entry.state == State::kTried || entry.state == State::kKept;
  }

  const double compile_seconds_;
  std::vector<Entry> entries_;
  uint64_t executions_ = 0;
  bool closed_ = false;  // nothing more is tried
};

}  // namespace modelmill::ov
