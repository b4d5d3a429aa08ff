#include "catalog/runtime_report.h"

namespace modelmill {
namespace {

std::string count_of(int count, const char* noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

}  // namespace

std::string layout_text(const RuntimeLayout& layout) {
  return layout.backend + ", " + count_of(layout.instances, "instance") + " of " + count_of(layout.threads, "thread");
}

}  // namespace modelmill
