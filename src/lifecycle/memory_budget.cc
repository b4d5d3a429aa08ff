#include "lifecycle/memory_budget.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace modelmill {

std::string bytes_text(uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

Result<std::vector<std::string>> make_room(const std::vector<ResidentModel>& residents, uint64_t leaving,
                                           uint64_t budget, const std::string& model, uint64_t needed) {
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
  if (!fits(removable))
    return resource_exhausted("model '" + model + "' needs " + bytes_text(needed) + ", and of the " +
                              bytes_text(budget) + " that models may take " + bytes_text(resident - removable) +
                              " are taken by models that can't be put away; raise --model-memory, or pin less");
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

}  // namespace modelmill
