#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "catalog/learned_cost.h"
#include "schedule/cost_curve.h"

namespace modelmill {

/// What was learned of a version: a curve for each kind of instance and each shape class of its inputs. Remembers the
/// classes used last, so that a model of endless shapes has bounded memory. Not synchronised; knows no clock.
class CostModel {
 public:
  static constexpr size_t kMostCurves = 64;

  explicit CostModel(int64_t max_rows) : max_rows_(max_rows) {}

  /// The curve, made at need (`shapes` is for people, read only then). Good until the next call.
  template <typename Shapes>
  CostCurve& curve(InstanceGroup::Kind kind, uint64_t shape_class, Shapes shapes) {
    const Key key{kind, shape_class};
    auto it = curves_.find(key);
    if (it == curves_.end()) it = add(key, shapes());
    it->second.used = ++uses_;
    return it->second.curve;
  }
  bool has(InstanceGroup::Kind kind, uint64_t shape_class) const { return curves_.count({kind, shape_class}) > 0; }
  /// The curve, or for a class that is new the one used last; null when nothing is known of the kind. Good until the
  /// next call of curve().
  const CostCurve* find(InstanceGroup::Kind kind, uint64_t shape_class) const;

  void seed(std::span<const LearnedCost> learned);
  std::vector<LearnedCost> learned() const;

 private:
  using Key = std::pair<InstanceGroup::Kind, uint64_t>;
  struct Entry {
    CostCurve curve;
    std::string shapes;
    uint64_t used = 0;
  };
  const Entry* used_last(InstanceGroup::Kind kind) const;
  std::map<Key, Entry>::iterator add(const Key& key, std::string shapes);

  const int64_t max_rows_;
  std::map<Key, Entry> curves_;
  uint64_t uses_ = 0;
};

}  // namespace modelmill
