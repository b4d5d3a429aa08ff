#include "lifecycle/weight_pages.h"

#include "base/huge_pages.h"
#include "base/log.h"

namespace modelmill {
namespace {

/// Fewer stay in caches.
constexpr uint64_t kMany = 4 << 20;
/// How much longer a load may take for it: enough for some gigabytes.
constexpr Duration kAtMost = std::chrono::seconds(1);

}  // namespace

void put_weights_in_huge_pages(const std::string& model, uint64_t bytes) {
  if (bytes < kMany) return;
  if (const size_t moved = use_huge_pages(kAtMost); moved > 0)
    Log::debug("memory is in huge pages", {{"model", model}, {"bytes", moved}});
}

}  // namespace modelmill
