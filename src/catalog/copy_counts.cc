#include "catalog/copy_counts.h"

#include <algorithm>

namespace modelmill {

CopyCounts counted_since(const CopyCounts& now, const CopyCounts& before) {
  if (now.answered() < before.answered()) return now;
  CopyCounts out;
  out.compared = now.compared - std::min(now.compared, before.compared);
  out.disagreed = now.disagreed - std::min(now.disagreed, before.disagreed);
  out.failed = now.failed - std::min(now.failed, before.failed);
  out.shed = now.shed - std::min(now.shed, before.shed);
  out.not_compared = now.not_compared - std::min(now.not_compared, before.not_compared);
  return out;
}

void add_to(CopyCounts& into, const CopyCounts& more) {
  into.compared += more.compared;
  into.disagreed += more.disagreed;
  into.failed += more.failed;
  into.shed += more.shed;
  into.not_compared += more.not_compared;
}

}  // namespace modelmill
