#include "lifecycle/device_ledger.h"

#include <algorithm>
#include <vector>

#include "base/size_text.h"

namespace modelmill {
namespace {

/// Holders that a refusal names; the others are counted.
constexpr size_t kNamed = 4;

std::string holders_text(const std::map<DeviceLedger::Holder, uint64_t>& held) {
  std::vector<std::pair<uint64_t, const DeviceLedger::Holder*>> largest;
  for (const auto& [holder, bytes] : held) largest.emplace_back(bytes, &holder);
  std::stable_sort(largest.begin(), largest.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string out;
  for (size_t i = 0; i < largest.size() && i < kNamed; ++i)
    out += (i == 0 ? "" : ", ") + bytes_text(largest[i].first) + " by model '" + largest[i].second->first +
           "' version " + std::to_string(largest[i].second->second);
  if (largest.size() > kNamed) out += " and the rest by " + std::to_string(largest.size() - kNamed) + " more";
  return out;
}

}  // namespace

std::optional<uint64_t> DeviceLedger::budget(int gpu) const {
  if (const auto said = budgets_.find(gpu)) return *said == 0 ? std::nullopt : said;
  const auto total = totals_.find(gpu);
  if (total == totals_.end()) return std::nullopt;
  if (const auto share = budgets_.shares.find(gpu); share != budgets_.shares.end())
    return static_cast<uint64_t>(share->second * static_cast<double>(total->second));
  return total->second - total->second / 10;
}

void DeviceLedger::add(int gpu, const Holder& holder, uint64_t bytes) {
  if (bytes > 0) held_[gpu][holder] += bytes;
}

void DeviceLedger::remove(int gpu, const Holder& holder, uint64_t bytes) {
  const auto device = held_.find(gpu);
  if (device == held_.end()) return;
  const auto entry = device->second.find(holder);
  if (entry == device->second.end()) return;
  entry->second -= std::min(entry->second, bytes);
  if (entry->second == 0) device->second.erase(entry);
  if (device->second.empty()) held_.erase(device);
}

uint64_t DeviceLedger::held(int gpu) const {
  uint64_t bytes = 0;
  if (const auto device = held_.find(gpu); device != held_.end())
    for (const auto& [holder, its] : device->second) bytes += its;
  return bytes;
}

uint64_t DeviceLedger::held(int gpu, const Holder& holder) const {
  const auto device = held_.find(gpu);
  if (device == held_.end()) return 0;
  const auto entry = device->second.find(holder);
  return entry == device->second.end() ? 0 : entry->second;
}

std::map<std::string, uint64_t> DeviceLedger::held_by_model(int gpu) const {
  std::map<std::string, uint64_t> out;
  if (const auto device = held_.find(gpu); device != held_.end())
    for (const auto& [holder, bytes] : device->second) out[holder.first] += bytes;
  return out;
}

Status DeviceLedger::check(int gpu, const Holder& holder, uint64_t bytes) const {
  const auto budget = this->budget(gpu);
  const uint64_t held = this->held(gpu);
  if (!budget || (held <= *budget && bytes <= *budget - held)) return ok_status();
  const uint64_t own = bytes > 0 ? bytes : this->held(gpu, holder);
  return resource_exhausted(
      "model '" + holder.first + "' version " + std::to_string(holder.second) +
      (bytes > 0 ? " needs " : " has taken ") + bytes_text(own) + " of gpu " + std::to_string(gpu) +
      ", of whose budget of " + bytes_text(*budget) + " " + bytes_text(held) + " are held" +
      (held == 0 ? std::string() : " (" + holders_text(held_.at(gpu)) + ")") + "; " +
      (own > *budget ? "it can't fit: give it another device, or" : "unload a model, give it another device, or") +
      " raise --device-memory");
}

}  // namespace modelmill
