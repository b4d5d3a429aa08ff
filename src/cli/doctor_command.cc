#include <algorithm>
#include <cstdio>

#include "base/json_text.h"
#include "cli/commands.h"
#include "server/engine.h"
#include "server/host_info.h"
#include "server/version.h"

namespace modelmill {
namespace {

/// A backend that works by itself (identity) proves no runtime.
bool works(const BackendReport& report) { return report.available && !report.runtime.empty(); }

std::string gigabytes(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GiB", static_cast<double>(bytes) / (1 << 30));
  return text;
}

std::string joined(const std::vector<std::string>& words, const char* none) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out.empty() ? none : out;
}

void append_line(std::string& out, const std::string& label, const std::string& value) {
  out += "  " + label + std::string(label.size() < 14 ? 14 - label.size() : 1, ' ') + value + "\n";
}

std::string machine_text(const HostInfo& host) {
  std::string out = "Machine\n";
  append_line(out, "processor", host.cpu_model.empty() ? "unknown" : host.cpu_model);
  append_line(out, "features", joined(host.cpu_features, "none that runtimes use"));
  std::string cores = std::to_string(host.usable_cores);
  if (host.usable_cores < host.machine_cores) {
    cores += " of " + std::to_string(host.machine_cores) + " (limited by affinity or control group)";
  }
  append_line(out, "cores", cores);
  std::string memory = gigabytes(host.memory_bytes);
  if (host.memory_limit_bytes > 0) memory += ", limited to " + gigabytes(host.memory_limit_bytes) + " by control group";
  append_line(out, "memory", memory);
  append_line(
      out, "open files",
      std::to_string(host.open_files_hard) + " at most (the server takes them all: it is the bound of connections)");
  std::string gpus;
  for (const std::string& gpu : host.gpus) gpus += (gpus.empty() ? "" : ", ") + gpu;
  if (!host.gpu_driver.empty()) gpus += (gpus.empty() ? "driver " : "; driver ") + host.gpu_driver;
  append_line(out, "GPUs", gpus.empty() ? "none found" : gpus);
  return out;
}

std::string backend_text(const BackendReport& report) {
  std::string out = "  " + report.name + (report.version.empty() ? "" : " " + report.version) + "  " +
                    (report.available ? "ok" : "MISSING") + "\n";
  const auto line = [&out](const char* label, const std::string& value) {
    if (!value.empty()) append_line(out, std::string("  ") + label, value);
  };
  line("runtime", report.runtime + (report.runtime_version.empty() ? "" : " " + report.runtime_version));
  line("found at", report.runtime_path);
  line("devices", report.devices);
  line("plugin", report.library);
  line("problem", report.problem);
  line("remedy", report.remedy);
  return out;
}

std::string text_report(const HostInfo& host, const std::vector<BackendReport>& reports,
                        const std::vector<std::string>& folders) {
  std::string out = "modelmill " + std::string(server_version()) + "\n\n" + machine_text(host) + "\nBackends\n";
  for (const BackendReport& report : reports) out += backend_text(report);
  if (reports.empty()) {
    out += "  none: no plugin (modelmill_NAME.so) in " + joined(folders, "any folder") +
           "\n  name the folder that holds them with --backend-directory\n";
  }
  if (std::none_of(reports.begin(), reports.end(), works))
    out += "\nNo runtime works yet, so no model can be served.\n";
  return out;
}

std::string json_report(const HostInfo& host, const std::vector<BackendReport>& reports,
                        const std::vector<std::string>& folders) {
  JsonWriter json;
  const auto list = [&json](const char* name, const std::vector<std::string>& texts) {
    json.key(name).begin_array();
    for (const std::string& text : texts) json.value(text);
    json.end_array();
  };
  json.begin_object().field("version", server_version());
  json.key("machine").begin_object().field("cpu_model", host.cpu_model);
  list("cpu_features", host.cpu_features);
  json.field("machine_cores", host.machine_cores).field("usable_cores", host.usable_cores);
  json.field("memory_bytes", host.memory_bytes).field("memory_limit_bytes", host.memory_limit_bytes);
  json.field("open_files_soft", host.open_files_soft).field("open_files_hard", host.open_files_hard);
  json.field("gpu_driver", host.gpu_driver);
  list("gpus", host.gpus);
  json.end_object();
  list("backend_directories", folders);
  json.key("backends").begin_array();
  for (const BackendReport& report : reports) {
    json.begin_object().field("name", report.name).field("version", report.version);
    json.field("available", report.available).field("plugin", report.library).field("runtime", report.runtime);
    json.field("runtime_version", report.runtime_version).field("runtime_path", report.runtime_path);
    json.field("devices", report.devices).field("problem", report.problem).field("remedy", report.remedy);
    json.end_object();
  }
  json.end_array();
  json.field("runtime_works", std::any_of(reports.begin(), reports.end(), works));
  json.end_object();
  return json.take() + "\n";
}

}  // namespace

ExitCode run(const DoctorCommand& command) {
  Log::configure({LogLevel::kWarning, LogFormat::kText, 2});
  const HostInfo host = read_host_info();
  const auto registry = make_backend_registry(command.config, nullptr);
  const std::vector<BackendReport> reports = registry->report();
  const std::vector<std::string> folders = backend_directories(command.config, program_directory());
  std::fputs((command.json ? json_report(host, reports, folders) : text_report(host, reports, folders)).c_str(),
             stdout);
  return std::any_of(reports.begin(), reports.end(), works) ? ExitCode::kOk : ExitCode::kFailure;
}

}  // namespace modelmill
