#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/status.h"

namespace modelmill {

/// A workflow of TorchServe's that is served: models and functions, each of which is served as a model of its own, and
/// who gets whose answers. A value.
struct Workflow {
  struct Node {
    std::string name;
    std::string model;                          // what it is served as
    int retries = 1;                            // further attempts, after one that failed
    std::chrono::milliseconds timeout{10'000};  // of an attempt
    std::vector<size_t> next;                   // who gets its answer; none: it is an answer of the workflow's
    size_t inputs = 0;                          // whose answers it gets; 0: it gets the request
  };

  std::string name;
  std::string place;  // of the archive, as it was named
  int min_workers = 1;
  int max_workers = 1;
  int64_t batch_size = 1;
  std::chrono::milliseconds max_batch_delay{50};
  std::string dag;          // as TorchServe shows it
  std::vector<Node> nodes;  // without loops, and one of them alone gets the request
};

/// An archive that somebody asks to be served.
struct WorkflowAddition {
  /// The name of a file in a folder that the server was started with, or a URL that is allowed.
  std::string place;
  /// What it is called; empty: as it calls itself.
  std::string workflow = {};
};

/// What clients may ask of workflows. Thread-safe; returns at once. `done` is called once, on a thread of the control
/// plane or before the call returns.
class WorkflowControl {
 public:
  using Added = std::function<void(Result<std::shared_ptr<const Workflow>>)>;
  using Done = std::function<void(Status)>;

  virtual ~WorkflowControl() = default;

  /// Serves all nodes, or none of them. UNAVAILABLE where clients may not, NOT_FOUND for an archive that there is not,
  /// PERMISSION_DENIED for a URL that is not allowed, ALREADY_EXISTS for a workflow of that name, INVALID_ARGUMENT for
  /// an archive that is none or whose graph can't be run, INTERNAL for nodes that could not be served.
  virtual void add(WorkflowAddition addition, Added done) = 0;
  /// Takes the workflow and its nodes from clients. NOT_FOUND when there is none of that name.
  virtual void remove(const std::string& name, Done done) = 0;
  /// Null: there is none.
  virtual std::shared_ptr<const Workflow> find(const std::string& name) const = 0;
  /// By name.
  virtual std::vector<std::shared_ptr<const Workflow>> list() const = 0;
};

}  // namespace modelmill
