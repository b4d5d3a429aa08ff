#include "server/announcement.h"

#include <algorithm>

#include "dialect/predict/sample.h"
#include "server/version.h"

namespace modelmill {
namespace {

std::string padded(std::string_view text, size_t width) {
  std::string out(text);
  out.append(width > text.size() ? width - text.size() : 0, ' ');
  return out;
}

/// Lines "    inputs     name  FP32  [1,2]", with the label on the first one only. `width` is that of the names.
void append_tensors(std::string& out, std::string_view label, const std::vector<TensorSpec>& tensors, size_t width) {
  bool first = true;
  for (const TensorSpec& tensor : tensors) {
    out += "    " + padded(first ? label : "", 11) + padded(tensor.name, width + 2);
    out += padded(dtype_name(tensor.dtype), 7) + shape_text(dims(tensor.shape));
    if (tensor.optional) out += "  optional";
    out += '\n';
    first = false;
  }
}

}  // namespace

std::string signature_text(const Signature& signature) {
  size_t width = 0;
  for (const TensorSpec& tensor : signature.inputs) width = std::max(width, tensor.name.size());
  for (const TensorSpec& tensor : signature.outputs) width = std::max(width, tensor.name.size());
  std::string out;
  append_tensors(out, "inputs", signature.inputs, width);
  append_tensors(out, "outputs", signature.outputs, width);
  return out;
}

namespace {

void append_version(std::string& out, const ModelVersion& version, const VersionLayouts& layouts) {
  const ModelDefinition& definition = version.definition();
  VersionLayout layout;
  if (const auto it = layouts.find({version.name(), version.version()}); it != layouts.end()) layout = it->second;
  out += "\n  " + version.name() + "  version " + std::to_string(version.version());
  if (!definition.backend.empty()) out += "  (" + definition.backend + ")";
  out += '\n';
  out += signature_text(version.signature());
  out += "    " + padded("batching", 11) + batching_text(definition, layout) + '\n';
  out += "    " + padded("instances", 11) + std::to_string(layout.instances) + '\n';
}

void append_failures(std::string& out, const ModelEntry& entry) {
  for (const VersionStatus& status : entry.statuses) {
    if (status.state == VersionState::kReady || status.reason.empty()) continue;
    out += "\n  " + entry.name + "  version " + std::to_string(status.version) + "  NOT SERVED\n";
    out += "    " + status.reason + '\n';
  }
}

}  // namespace

std::string client_url(const std::string& host, uint16_t port) {
  std::string name = host;
  if (host == "0.0.0.0") name = "127.0.0.1";
  if (host == "::") name = "::1";
  if (name.find(':') != std::string::npos) name = "[" + name + "]";
  return "http://" + name + ":" + std::to_string(port);
}

std::string batching_text(const ModelDefinition& definition, const VersionLayout& layout) {
  if (layout.max_batch_rows > 1) return "up to " + std::to_string(layout.max_batch_rows) + " rows";
  if (!definition.unbatched_reason.empty()) return "off: " + definition.unbatched_reason;
  return "off: as configured";
}

std::string announcement(const std::string& host, uint16_t port, const ModelTable& table,
                         const VersionLayouts& layouts) {
  size_t served = 0;
  const ModelVersion* sample = nullptr;
  std::string models;
  std::string failed;
  for (const auto& [name, entry] : table.models) {
    if (!entry->versions.empty()) ++served;
    for (const auto& version : entry->versions) {
      append_version(models, *version, layouts);
      if (sample == nullptr) sample = entry->versions.back().get();
    }
    append_failures(failed, *entry);
  }
  const std::string url = client_url(host, port);
  std::string out = "modelmill " + std::string(server_version()) + " serves " + std::to_string(served) +
                    (served == 1 ? " model" : " models") + " at " + url;
  if (host == "0.0.0.0" || host == "::") out += " (on every address of this machine)";
  out += "\n" + models + failed;
  if (sample != nullptr) out += "\nAsk it:\n\n  " + predict::sample_curl(url, *sample) + "\n";
  out += "\nKServe V2 over HTTP and gRPC at " + url.substr(7) + ", metrics at " + url + "/metrics. Ctrl-C stops it.\n";
  return out;
}

}  // namespace modelmill
