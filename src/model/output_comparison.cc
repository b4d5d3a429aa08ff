#include "model/output_comparison.h"

namespace modelmill {

const char* comparison_kind_name(ComparisonKind kind) {
  constexpr const char* kNames[kComparisonKinds] = {"equal", "tolerance", "top_k", "kl", "function"};
  return kNames[static_cast<size_t>(kind)];
}

OutputComparison default_comparison(DataType dtype) {
  OutputComparison out{.kind = ComparisonKind::kTolerance};
  switch (dtype) {
    case DataType::kFp64:
    case DataType::kFp32:
      out.absolute = 1e-5;
      out.relative = 1e-3;
      break;
    case DataType::kFp16:
      out.absolute = 1e-3;
      out.relative = 1e-2;
      break;
    case DataType::kBf16:
      out.absolute = 1e-2;
      out.relative = 5e-2;
      break;
    default: out.kind = ComparisonKind::kEqual; break;
  }
  return out;
}

}  // namespace modelmill
