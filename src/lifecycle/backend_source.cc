#include "lifecycle/backend_source.h"

namespace modelmill {

ModelFormat format_of(const BackendRegistry::Description& description) {
  return {description.name, description.default_file, description.extensions};
}

std::vector<ModelFormat> formats_of(const BackendSource& backends) {
  std::vector<ModelFormat> formats;
  for (const auto& description : backends.available()) formats.push_back(format_of(description));
  return formats;
}

}  // namespace modelmill
