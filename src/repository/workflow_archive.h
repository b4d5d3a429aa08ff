#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "repository/found_model.h"
#include "repository/model_format.h"

namespace modelmill {

/// What an unpacked workflow archive (.war) of TorchServe's says.
struct WorkflowArchive {
  struct Settings {
    int min_workers = 1;
    int max_workers = 1;
    int64_t batch_size = 1;
    std::chrono::milliseconds max_batch_delay{50};
    int retries = 1;
    std::chrono::milliseconds timeout{10'000};
  };
  struct Node {
    std::string name;
    std::string url;  // of its archive; empty: it is a function of the handler
    Settings settings;
    std::vector<size_t> next;
    size_t inputs = 0;
  };

  std::string name;
  std::string manifest;  // its file
  Settings settings;     // of nodes that say nothing themselves
  std::string dag;       // as TorchServe shows it: {a=[b, c], b=[]}
  std::vector<Node> nodes;
};

/// TorchServe's archives of workflows.
bool is_workflow_archive_name(std::string_view filename);

/// What a node is served as.
std::string workflow_model_name(std::string_view workflow, std::string_view node);

/// Reads the archive that was unpacked to `folder`; `name` is what it is called, empty: as it says itself.
/// INVALID_ARGUMENT names what is wrong; of a graph that can't be run it begins with "DAG".
Result<WorkflowArchive> read_workflow_archive(const std::string& folder, const std::string& name);

/// A function of the handler, as a model.
FoundModel workflow_function(const WorkflowArchive& archive, const WorkflowArchive::Node& node,
                             const std::string& folder, std::span<const ModelFormat> formats);

}  // namespace modelmill
