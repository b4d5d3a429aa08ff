#include "cli/known_formats.h"

#include "lifecycle/backend_source.h"

namespace modelmill {

std::vector<ModelFormat> known_formats(BackendRegistry& backends) {
  std::vector<ModelFormat> formats;
  for (const auto& known : backends.available()) formats.push_back(format_of(known));
  return formats;
}

}  // namespace modelmill
