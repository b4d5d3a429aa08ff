#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "client/url.h"

namespace modelmill {

/// Where spans go, and how. A value; the defaults are OpenTelemetry's.
struct ExportOptions {
  BaseUrl server{"localhost", 4318, ""};
  std::string path = "/v1/traces";
  std::vector<std::pair<std::string, std::string>> headers;
  /// Authorities to trust with https, in PEM; empty: the system's.
  std::string ca_file;
  /// What names that file, for errors.
  std::string ca_setting = "OTEL_EXPORTER_OTLP_CERTIFICATE";
  /// Of a connection, and of a whole call.
  std::chrono::milliseconds timeout{10'000};
  /// Spans that may wait. What comes beyond that is lost.
  size_t max_queue = 2'048;
  /// What they wait for others at most, and how many go together.
  std::chrono::milliseconds delay{5'000};
  size_t max_batch = 512;
  /// What a batch that is to be sent again waits first; longer each time.
  std::chrono::milliseconds first_pause{1'000};
  /// What may be sent at the end.
  std::chrono::milliseconds flush{5'000};
  /// Of the sender: `service.name` and so on; the last one of a name counts.
  std::vector<std::pair<std::string, std::string>> resource;
  /// Of who records.
  std::string scope = "modelmill", scope_version;
};

/// The path as logs and answers may show it: one of its own may hold a token.
std::string shown_path(const ExportOptions& options);

/// Sets server and path to what `url` says: "http://host:port/path", the same with https, or without "http://"; then
/// the port is 4318 where it is left out. Without a path it is /v1/traces. INVALID_ARGUMENT for another text.
Status set_collector(std::string_view url, ExportOptions& options);

}  // namespace modelmill
