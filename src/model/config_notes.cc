#include "model/config_notes.h"

#include <string>

#include "model/triton_config.h"

namespace modelmill {
namespace {

class Notes {
 public:
  void add(std::string field, const std::string& name, const std::string& why) {
    found.push_back({Code::kUnimplemented, std::move(field), "'" + name + "' has no effect: " + why});
  }
  std::vector<ConfigIssue> found;
};

void look_at_groups(const inference::ModelConfig& config, Notes& notes) {
  for (int i = 0; i < config.instance_group_size(); ++i) {
    const auto& group = config.instance_group(i);
    const std::string field = "instance_group[" + std::to_string(i) + "]";
    if (!group.host_policy().empty())
      notes.add(field + ".host_policy", "host_policy",
                "instances run on all the cores that the server may use; bind the server as a whole, with taskset or "
                "numactl");
  }
}

}  // namespace

std::vector<ConfigIssue> fields_without_effect(const inference::ModelConfig& config) {
  Notes notes;
  look_at_groups(config, notes);
  if (config.cc_model_filenames_size() > 0)
    notes.add("cc_model_filenames", "cc_model_filenames",
              "a version has one file for all GPUs, whatever their compute capability; name it in "
              "'default_model_filename'");
  for (int i = 0; i < config.model_metrics().metric_control_size(); ++i) {
    const std::string& family = config.model_metrics().metric_control(i).metric_identifier().family();
    if (family != kFirstResponseFamily)
      notes.add("model_metrics.metric_control[" + std::to_string(i) + "]", "metric_control",
                "models choose the buckets of '" + std::string(kFirstResponseFamily) + "' alone, and not of '" +
                    family + "'");
  }
  return std::move(notes.found);
}

}  // namespace modelmill
