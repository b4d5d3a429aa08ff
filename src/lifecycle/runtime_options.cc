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
constexpr char kPrecisionsParameter[] = "runtime_precisions";

/// Parameters that the server reads itself: they say nothing about a runtime.
bool has_backend_parameters(const ModelDefinition& definition) {
  static const std::set<std::string> own = {
      kRuntime,        kTolerance,      kPrecisionsParameter,  "objective_p99_us", "allowed_batch_sizes",
      "min_instances", "max_instances", "scale_to_zero_after", "cpu_affinity",     "instance_memory"};
  return std::any_of(definition.parameters.begin(), definition.parameters.end(),
                     [](const auto& parameter) { return !own.contains(parameter.first); });
}

bool on_gpus(const ModelDefinition& definition) {
  return std::any_of(definition.instance_groups.begin(), definition.instance_groups.end(), [](const auto& group) {
    return group.kind == InstanceGroup::Kind::kGpu || group.kind == InstanceGroup::Kind::kModel;
  });
}

const std::string* parameter_of(const ModelDefinition& definition, const char* name) {
  const auto it = definition.parameters.find(name);
  return it == definition.parameters.end() ? nullptr : &it->second;
}

Status wrong_runtime(const ModelDefinition& definition, const char* name, const std::string& text,
                     const std::string& why) {
  return invalid_argument("model '" + definition.name + "': parameter '" + name + "' is '" + text + "', " + why);
}

Result<std::optional<double>> tolerance_of(const ModelDefinition& definition, const LoadSettings& settings) {
  const std::string* text = parameter_of(definition, kTolerance);
  if (text == nullptr) return settings.runtime_tolerance;
  char* end = nullptr;
  const double tolerance = std::strtod(text->c_str(), &end);
  if (text->empty() || *end != '\0' || !std::isfinite(tolerance) || tolerance < 0 || tolerance > 1)
    return wrong_runtime(definition, kTolerance, *text, "but must be a number from 0 to 1, such as 1e-4");
  return std::optional<double>(tolerance);
}

/// The precisions that may be chosen.
Result<std::vector<std::string>> precisions_of(const ModelDefinition& definition, const LoadSettings& settings,
                                               bool has_tolerance) {
  const std::string* text = parameter_of(definition, kPrecisionsParameter);
  if (text == nullptr) return settings.runtime_precisions;
  auto out = parse_precisions(*text);
  if (!out.ok()) return wrong_runtime(definition, kPrecisionsParameter, *text, "but " + out.status().message());
  if (!out->empty() && !has_tolerance)
    return wrong_runtime(definition, kPrecisionsParameter, *text,
                         "but nothing says by how much answers may differ; set runtime_tolerance too, such as 0.01");
  return out;
}

/// What the user wants to run it: "auto", "default", or a backend and the precision that it is to compute in.
struct Wanted {
  std::string text;
  std::string backend;
  std::string precision;
  bool said = false;  // of this model
};

Result<Wanted> wanted_of(const ModelDefinition& definition, const LoadSettings& settings) {
  const std::string* own = parameter_of(definition, kRuntime);
  Wanted out{own != nullptr ? *own : settings.runtime, {}, {}, own != nullptr};
  if (own == nullptr && parameter_of(definition, kPrecisionsParameter) != nullptr) out = {"auto", {}, {}, true};
  const size_t colon = out.text.find(':');
  out.backend = out.text.substr(0, colon);
  if (colon == std::string::npos) return out;
  out.precision = out.text.substr(colon + 1);
  const auto precisions = parse_precisions(out.precision);
  if (!precisions.ok()) return wrong_runtime(definition, kRuntime, out.text, "but " + precisions.status().message());
  if (precisions->size() != 1)
    return wrong_runtime(definition, kRuntime, out.text,
                         "but must name one precision after the colon, such as openvino:bf16");
  return out;
}

/// A runtime that can run the model's file.
using Runtimes = std::vector<BackendRegistry::Description>;

/// Whatever computes the model in `precision`, or why nothing does.
void add_less_precise(const Runtimes& runtimes, const std::string& precision, RuntimeOptions& out) {
  const std::string file = precision_file(out.file, precision);
  std::error_code ignored;
  const bool has_file = std::filesystem::exists(file, ignored);
  const size_t before = out.less_precise.size();
  for (const auto& runtime : runtimes) {
    const bool by_itself =
        std::find(runtime.precisions.begin(), runtime.precisions.end(), precision) != runtime.precisions.end();
    if (has_file || by_itself)
      out.less_precise.push_back({runtime.name, runtime.runtime, precision, has_file ? file : std::string(), {}});
  }
  if (out.less_precise.size() > before) return;
  out.less_precise.push_back({runtimes.front().name,
                              runtimes.front().runtime,
                              precision,
                              {},
                              "no runtime that is installed computes it in " + precision +
                                  " by itself, and beside its file there is no '" +
                                  std::filesystem::path(file).filename().string() + "'"});
}

/// The one that is wanted alone; `out` stays as it is where it can't run the model.
Status pin(const Runtimes& runtimes, const ModelDefinition& definition, const Wanted& wanted, RuntimeOptions& out) {
  const auto named = [&](const auto& runtime) { return runtime.name == wanted.backend; };
  const auto found = std::find_if(runtimes.begin(), runtimes.end(), named);
  std::string why;
  if (found != runtimes.end() && !wanted.precision.empty()) {
    RuntimeOptions one{.file = out.file};
    add_less_precise({*found}, wanted.precision, one);
    why = one.less_precise.front().problem;
    if (why.empty()) out.pinned = one.less_precise.front();
  }
  if (found != runtimes.end() && why.empty()) {
    out.backends = {found->name};
    out.runtimes = {found->runtime};
    return ok_status();
  }
  if (!wanted.said) return ok_status();
  return failed_precondition("model '" + definition.name + "': parameter 'runtime' is '" + wanted.text +
                             "', which can't run '" + std::filesystem::path(out.file).filename().string() + "' here" +
                             (why.empty() ? "; `modelmill doctor` shows what is installed" : ": " + why));
}

}  // namespace

Result<RuntimeOptions> runtime_options(const FoundModel& found, const FoundVersion& version,
                                       const ModelDefinition& definition, std::span<const ModelFormat> formats,
                                       const BackendSource& backends, const LoadSettings& settings) {
  RuntimeOptions out;
  MM_ASSIGN_OR_RETURN(const std::optional<double> tolerance, tolerance_of(definition, settings));
  MM_ASSIGN_OR_RETURN(const auto precisions, precisions_of(definition, settings, tolerance.has_value()));
  MM_ASSIGN_OR_RETURN(const Wanted wanted, wanted_of(definition, settings));
  out.tolerance = tolerance.value_or(out.tolerance);
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
  const bool asked = wanted.precision.empty() && stands_in_for(wanted.backend, *own) && (wanted.said || !chosen);
  if (wanted.backend != *own && wanted.precision.empty()) out.stand_in = find_stand_in(*reference, asked, find);
  if (out.stand_in) return out;
  if (wanted.text == "default" || out.file.empty() || (chosen && !wanted.said)) return out;

  Runtimes runtimes = {*reference};
  const std::string name = std::filesystem::path(out.file).filename().string();
  for (const ModelFormat& other : formats) {
    if (other.backend == *own || !has_extension(other, name)) continue;
    const auto description = find(other.backend);
    if (description.ok() && description->usable) runtimes.push_back(*description);
  }
  if (wanted.text != "auto") {
    MM_RETURN_IF_ERROR(pin(runtimes, definition, wanted, out));
    return out;
  }
  // A runtime that is missing leaves the work to one that is there.
  if (!reference->usable && runtimes.size() > 1) runtimes.erase(runtimes.begin());
  out.backends.clear();
  out.runtimes.clear();
  for (const auto& runtime : runtimes) {
    out.backends.push_back(runtime.name);
    out.runtimes.push_back(runtime.runtime);
  }
  for (const std::string& precision : precisions) add_less_precise(runtimes, precision, out);
  out.choose = (out.backends.size() > 1 || !out.less_precise.empty()) && !on_gpus(definition);
  return out;
}

}  // namespace modelmill
