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

/// "up to 64 rows" or "off: <reason>".
std::string batching_text(const ModelDefinition& definition, const Explanation& explanation) {
  if (explanation.max_rows > 1) return "up to " + std::to_string(explanation.max_rows) + " rows";
  if (!definition.unbatched_reason.empty()) return "off: " + definition.unbatched_reason;
  return "off: as configured";
}

void append_ensemble(std::string& out, const Explanation& explanation) {
  if (!explanation.combination.empty()) out += "    " + padded("combines", 11) + explanation.combination + '\n';
  for (const std::string& step : explanation.steps) out += "    " + padded("member", 11) + step + '\n';
}

void append_running(std::string& out, const ModelVersion& version) {
  const Explanation explanation = version.explain();
  out += signature_text(version.signature());
  if (!explanation.steps.empty()) return append_ensemble(out, explanation);
  out += "    " + padded("batching", 11) + batching_text(version.definition(), explanation) + '\n';
  out += "    " + padded("instances", 11) + std::to_string(explanation.instances) + '\n';
  if (const std::string learned = learned_line(explanation); !learned.empty())
    out += "    " + padded("learned", 11) + learned + '\n';
}

void append_version(std::string& out, const ModelVersion& version) {
  const ModelDefinition& definition = version.definition();
  out += "\n  " + version.name() + "  version " + std::to_string(version.version());
  const std::string& runs = definition.backend.empty() ? definition.platform : definition.backend;
  if (!runs.empty()) out += "  (" + runs + ")";
  out += '\n';
  if (!version.other_signatures().empty())
    out += "    " + padded("signature", 11) + version.description().signature_name + '\n';
  append_running(out, version);
  for (const auto& [name, entry] : version.other_signatures()) {
    out += "    " + padded("signature", 11) + name + '\n';
    append_running(out, *entry);
  }
}

void append_failures(std::string& out, const ModelEntry& entry) {
  for (const VersionStatus& status : entry.statuses) {
    if (status.state == VersionState::kReady || status.reason.empty()) continue;
    out += "\n  " + entry.name + "  version " + std::to_string(status.version) + "  NOT SERVED\n";
    out += "    " + status.reason + '\n';
  }
}

/// The endpoint as a client on this machine reaches it.
wire::Endpoint reached_at(wire::Endpoint endpoint) {
  if (endpoint.host == "0.0.0.0") endpoint.host = "127.0.0.1";
  if (endpoint.host == "::") endpoint.host = "::1";
  return endpoint;
}

/// What an endpoint is for, where that is not everything: " for gRPC".
std::string purpose(const wire::Services& serves) {
  if (serves.all()) return "";
  std::string text;
  const auto add = [&text](bool on, const char* what) {
    if (on) text += (text.empty() ? " for " : " and ") + std::string(what);
  };
  const std::string kind = serves.inference == serves.management ? ""
                           : serves.inference                    ? "inference over "
                                                                 : "management over ";
  add(serves.http, (kind + "HTTP").c_str());
  add(serves.grpc, (kind + "gRPC").c_str());
  add(serves.metrics, "metrics");
  return text;
}

/// The first endpoint that serves what is meant, of a protocol with inference; null when none does.
const wire::Endpoint* first_for(const std::vector<wire::Endpoint>& endpoints, bool wire::Services::*what) {
  for (const wire::Endpoint& endpoint : endpoints)
    if (endpoint.serves.*what && (endpoint.serves.inference || what == &wire::Services::metrics)) return &endpoint;
  return nullptr;
}

/// "http://127.0.0.1:8000, https://127.0.0.1:8443 (on every address of this machine) and unix:/run/modelmill.sock"
std::string listed_urls(const std::vector<wire::Endpoint>& endpoints) {
  std::string list;
  for (size_t i = 0; i < endpoints.size(); ++i) {
    if (i > 0) list += i + 1 == endpoints.size() ? " and " : ", ";
    list += client_url(endpoints[i]) + purpose(endpoints[i].serves);
    if (endpoints[i].host == "0.0.0.0" || endpoints[i].host == "::") list += " (on every address of this machine)";
  }
  return list;
}

/// "KServe V2 over HTTP and gRPC at 127.0.0.1:8000, metrics at http://127.0.0.1:8000/metrics."
std::string protocols_line(const wire::Endpoint* http, const wire::Endpoint* grpc, const wire::Endpoint* metrics) {
  const auto place = [](const wire::Endpoint& endpoint) { return " at " + address_text(reached_at(endpoint)); };
  std::string line;
  if (http != nullptr && http == grpc) {
    line = "KServe V2 over HTTP and gRPC" + place(*http);
  } else {
    if (http != nullptr) line = "KServe V2 over HTTP" + place(*http);
    if (grpc != nullptr) line += (line.empty() ? "KServe V2 over gRPC" : ", over gRPC") + place(*grpc);
  }
  if (metrics == nullptr) return line + ".";
  const std::string page = metrics->is_unix() ? "/metrics" : client_url(*metrics) + "/metrics";
  return line + (line.empty() ? "Metrics at " : ", metrics at ") + page + ".";
}

/// What curl is told to reach an endpoint. Of a certificate that this machine need not know, only that there is one.
std::string curl_target(const wire::Endpoint& endpoint, const CurlOptions& curl) {
  std::string options = curl.access->empty() ? "" : *curl.access + " ";
  if (endpoint.is_unix()) return options + "--unix-socket '" + endpoint.path + "' http://localhost";
  if (endpoint.scheme != wire::Endpoint::Scheme::kHttps) return options + client_url(endpoint);
  if (curl.client_certificate) options += "--cert CLIENT.pem --key CLIENT-KEY.pem ";
  return options + "-k " + client_url(endpoint);
}

}  // namespace

std::string client_url(const wire::Endpoint& endpoint) { return url_text(reached_at(endpoint)); }

std::string announcement(const std::vector<wire::Endpoint>& endpoints, const ModelTable& table,
                         const CurlOptions& curl) {
  size_t served = 0;
  const ModelVersion* sample = nullptr;
  std::string models;
  std::string failed;
  for (const ModelEntry* entry : table.entries()) {
    if (!entry->versions.empty()) ++served;
    for (const auto& version : entry->versions) {
      append_version(models, *version);
      if (sample == nullptr) sample = entry->versions.back().get();
    }
    append_failures(failed, *entry);
  }
  std::string out = "modelmill " + std::string(server_version()) + " serves " + std::to_string(served) +
                    (served == 1 ? " model" : " models") + " at " + listed_urls(endpoints);
  out += "\n" + models + failed;
  const wire::Endpoint* const http = first_for(endpoints, &wire::Services::http);
  const wire::Endpoint* const grpc = first_for(endpoints, &wire::Services::grpc);
  if (sample != nullptr && curl.access && http != nullptr)
    out += "\nAsk it:\n\n  " + predict::sample_curl(curl_target(*http, curl), *sample) + "\n";
  return out + "\n" + protocols_line(http, grpc, first_for(endpoints, &wire::Services::metrics)) +
         " Ctrl-C stops it.\n";
}

}  // namespace modelmill
