#include "lifecycle/memory_budget.h"

#include <algorithm>
#include <utility>

#include "base/size_text.h"

namespace modelmill {

std::optional<std::vector<std::string>> least_recently_used(const std::vector<ResidentModel>& residents,
                                                            uint64_t leaving, uint64_t budget, const std::string& model,
                                                            uint64_t needed) {
  uint64_t resident = 0;
  uint64_t removable = 0;
  std::vector<const ResidentModel*> candidates;
  for (const ResidentModel& r : residents) {
    if (r.name == model) continue;
    resident += r.bytes;
    if (!r.removable) continue;
    removable += r.bytes;
    candidates.push_back(&r);
  }
  const auto fits = [&](uint64_t freed) { return resident - freed + needed <= budget; };
  if (!fits(removable)) return std::nullopt;
  std::sort(candidates.begin(), candidates.end(),
            [](const ResidentModel* a, const ResidentModel* b) { return a->used_ms < b->used_ms; });
  std::vector<std::string> leave;
  uint64_t freed = 0;
  // What leaves already counts as resident until it has gone, but nothing more need go for it.
  for (const ResidentModel* candidate : candidates) {
    if (fits(std::min(freed + leaving, resident))) break;
    freed += candidate->bytes;
    leave.push_back(candidate->name);
  }
  return leave;
}

Result<std::vector<std::string>> make_room(const std::vector<ResidentModel>& residents, uint64_t leaving,
                                           uint64_t budget, const std::string& model, uint64_t needed) {
  if (auto leave = least_recently_used(residents, leaving, budget, model, needed)) return *std::move(leave);
  uint64_t staying = 0;
  for (const ResidentModel& r : residents)
    if (r.name != model && !r.removable) staying += r.bytes;
  return resource_exhausted("model '" + model + "' needs " + bytes_text(needed) + ", and of the " + bytes_text(budget) +
                            " that models may take " + bytes_text(staying) +
                            " are taken by models that can't be put away; raise --model-memory, or pin less");
}

}  // namespace modelmill
