#include "lifecycle/runtime_options.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "repository/model_files.h"

namespace modelmill {
namespace {

constexpr char kRuntime[] = "runtime";
constexpr char kTolerance[] = "runtime_tolerance";

/// Parameters that the server reads itself: they say nothing about a runtime.
bool has_backend_parameters(const ModelDefinition& definition) {
  static const std::set<std::string> own = {
      kRuntime,        kTolerance,      "objective_p99_us",    "allowed_batch_sizes",
      "min_instances", "max_instances", "scale_to_zero_after", "cpu_affinity"};
  return std::any_of(definition.parameters.begin(), definition.parameters.end(),
                     [](const auto& parameter) { return !own.contains(parameter.first); });
}

bool on_gpus(const ModelDefinition& definition) {
  return std::any_of(definition.instance_groups.begin(), definition.instance_groups.end(), [](const auto& group) {
    return group.kind == InstanceGroup::Kind::kGpu || group.kind == InstanceGroup::Kind::kModel;
  });
}

Result<double> tolerance_of(const ModelDefinition& definition, double otherwise) {
  const auto it = definition.parameters.find(kTolerance);
  if (it == definition.parameters.end()) return otherwise;
  char* end = nullptr;
  const double tolerance = std::strtod(it->second.c_str(), &end);
  if (it->second.empty() || *end != '\0' || !std::isfinite(tolerance) || tolerance < 0 || tolerance > 1)
    return invalid_argument("model '" + definition.name + "': parameter 'runtime_tolerance' is '" + it->second +
                            "', but must be a number from 0 to 1, such as 1e-4");
  return tolerance;
}

}  // namespace

Result<RuntimeOptions> runtime_options(const FoundModel& found, const FoundVersion& version,
                                       const ModelDefinition& definition, std::span<const ModelFormat> formats,
                                       const BackendSource& backends, const LoadSettings& settings) {
  RuntimeOptions out;
  MM_ASSIGN_OR_RETURN(out.tolerance, tolerance_of(definition, out.tolerance));
  const auto given = definition.parameters.find(kRuntime);
  const bool said = given != definition.parameters.end();
  const std::string wanted = said ? given->second : settings.runtime;
  const std::string plugins = found.untrusted ? std::string() : found.directory;
  const auto find = [&](const std::string& backend) { return backends.find(backend, plugins); };

  const Result<std::string> own = infer_backend(definition, version, formats);
  if (!own.ok()) return out;
  const auto reference = find(*own);
  if (!reference.ok()) return out;
  const ModelFormat format{reference->name, reference->default_file, reference->extensions};
  if (const auto file = find_model_file(definition, version, format); file.ok()) out.file = *file;
  out.backends = {*own};
  out.runtimes = {reference->runtime};
  const bool chosen = !definition.backend.empty() || !definition.platform.empty() || has_backend_parameters(definition);
  if (wanted == "default" || out.file.empty() || (chosen && !said)) return out;

  const std::string name = std::filesystem::path(out.file).filename().string();
  for (const ModelFormat& other : formats) {
    if (other.backend == *own || !has_extension(other, name)) continue;
    const auto description = find(other.backend);
    if (!description.ok() || !description->usable) continue;
    out.backends.push_back(other.backend);
    out.runtimes.push_back(description->runtime);
  }
  if (wanted == "auto") {
    // A runtime that is missing leaves the work to one that is there.
    if (!reference->usable && out.backends.size() > 1) {
      out.backends.erase(out.backends.begin());
      out.runtimes.erase(out.runtimes.begin());
    }
    out.choose = out.backends.size() > 1 && !on_gpus(definition);
    return out;
  }
  const auto pinned = std::find(out.backends.begin(), out.backends.end(), wanted);
  if (pinned != out.backends.end()) {
    out.runtimes = {out.runtimes[static_cast<size_t>(pinned - out.backends.begin())]};
    out.backends = {wanted};
  } else if (said) {
    return failed_precondition("model '" + definition.name + "': parameter 'runtime' is '" + wanted +
                               "', which can't run '" + name + "' here; `modelmill doctor` shows what is installed");
  }
  return out;
}

}  // namespace modelmill
