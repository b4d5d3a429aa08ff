#include "catalog/runtime_report.h"

namespace modelmill {
namespace {

std::string count_of(int count, const char* noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

}  // namespace

bool same_runtime(const RuntimeLayout& a, const RuntimeLayout& b) {
  return a.backend == b.backend && a.precision == b.precision;
}

std::string layout_text(const RuntimeLayout& layout) {
  const std::string runtime = layout.backend + (layout.precision.empty() ? "" : " in " + layout.precision);
  return runtime + ", " + count_of(layout.instances, "instance") + " of " + count_of(layout.threads, "thread");
}

}  // namespace modelmill
