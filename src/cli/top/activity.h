#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace modelmill {

/// A model and its version, as the labels of the metrics name them.
using VersionName = std::pair<std::string, std::string>;

/// The counters of a server at one moment, as /metrics gave them. A value.
struct ServerReading {
  struct Version {
    double succeeded = 0, failed = 0, inferences = 0, executions = 0, pending = 0;
    std::optional<double> instances;           // none: not told by this kind of server
    std::optional<double> hits;                // none: its answers are not kept
    std::map<std::string, double> cuts;        // by reason
    std::map<double, double> latency_buckets;  // requests that took at most so many microseconds, by that bound
  };

  TimePoint at{};
  double started = 0;  // when the process was, in seconds of the epoch
  double cpu_seconds = 0;
  double memory_bytes = 0;
  double connections = 0;
  std::map<VersionName, Version> versions;
};

/// Reads a page of /metrics that was asked for at `at`.
Result<ServerReading> read_server(std::string_view page, TimePoint at);

/// What a server did between two moments. A value.
struct ServerActivity {
  struct Version {
    VersionName name;
    double requests_per_second = 0;  // answered, failures included
    double failures_per_second = 0;
    std::optional<double> p50_us, p99_us;  // of whole requests; none when none was answered
    std::optional<double> mean_batch;      // rows of an execution; none when nothing ran
    std::map<std::string, double> cuts;    // share of the batches by why they were cut; empty when none was
    double pending = 0;                    // at the end
    std::optional<double> instances;       // at the end
    std::optional<double> cached;          // share of the requests answered out of the cache; none: it has none
  };

  double seconds = 0;
  double requests_per_second = 0;
  double failures_per_second = 0;
  double cpu_cores = 0;
  double memory_bytes = 0;        // at the end
  double connections = 0;         // at the end
  std::vector<Version> versions;  // those that are there at the end, by name and version
};

/// A server that was started in between begins at zero, and so does a version that was loaded in between.
ServerActivity activity_between(const ServerReading& before, const ServerReading& after);

}  // namespace modelmill
