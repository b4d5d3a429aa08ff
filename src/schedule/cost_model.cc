#include "schedule/cost_model.h"

#include <algorithm>

namespace modelmill {

std::map<CostModel::Key, CostModel::Entry>::iterator CostModel::add(const Key& key, std::string shapes) {
  if (curves_.size() >= kMostCurves)
    curves_.erase(std::min_element(curves_.begin(), curves_.end(),
                                   [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
  CostCurve curve(max_rows_);
  if (const Entry* other = used_last(key.first)) curve.borrow(other->curve);
  return curves_.emplace(key, Entry{std::move(curve), std::move(shapes)}).first;
}

const CostModel::Entry* CostModel::used_last(InstanceGroup::Kind kind) const {
  const Entry* last = nullptr;
  for (const auto& [key, entry] : curves_)
    if (key.first == kind && (!last || entry.used > last->used)) last = &entry;
  return last;
}

const CostCurve* CostModel::find(InstanceGroup::Kind kind, uint64_t shape_class) const {
  const auto it = curves_.find({kind, shape_class});
  const Entry* entry = it != curves_.end() ? &it->second : used_last(kind);
  return entry ? &entry->curve : nullptr;
}

void CostModel::seed(std::span<const LearnedCost> learned) {
  for (const LearnedCost& cost : learned)
    if (curves_.size() < kMostCurves) {
      CostCurve curve(max_rows_);
      curve.seed(cost.points);
      curves_.insert_or_assign({cost.kind, cost.shape_class}, Entry{std::move(curve), cost.shapes});
    }
}

std::vector<LearnedCost> CostModel::learned() const {
  std::vector<LearnedCost> all;
  for (const auto& [key, entry] : curves_)
    if (entry.curve.known()) all.push_back({key.first, key.second, entry.shapes, entry.curve.points()});
  return all;
}

}  // namespace modelmill
