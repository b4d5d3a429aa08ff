#include "repository/found_ensemble.h"

namespace modelmill {

bool is_ensemble(const YamlModel& entry) {
  return entry.layer.combination.has_value() || entry.layer.pipeline.has_value() ||
         entry.layer.config.platform() == kEnsemblePlatform;
}

std::optional<FoundModel> found_ensemble(const YamlModel& entry, const std::string& file, const std::string& folder) {
  FoundModel model;
  model.name = entry.name;
  model.directory = folder;
  model.layout = ModelLayout::kFolder;
  model.versions.push_back({1, folder, file});
  model.config_files.push_back(file);
  model.describe(entry.layer, entry.problems);
  if (entry.name.empty())
    model.refuse({Code::kInvalidArgument, entry.place, "an ensemble in a list needs a name; give it one"});
  return model;
}

}  // namespace modelmill
