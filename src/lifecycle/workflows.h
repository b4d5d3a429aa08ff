#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "catalog/workflow_control.h"
#include "lifecycle/controller_core.h"
#include "repository/workflow_archive.h"

namespace modelmill {

/// The workflows of TorchServe's archives. Each node is a model of the controller's, named WORKFLOW__NODE, which comes
/// and goes with its workflow; a function is one out of the workflow's own archive. Files don't decide of them: what is
/// served stays until a client takes it away. Thread-safe.
class Workflows final : public WorkflowControl {
 public:
  /// `core` outlives what begins here: it is shut down first.
  explicit Workflows(ControllerCore& core) : core_(core) {}

  void add(WorkflowAddition addition, Added done) override;
  void remove(const std::string& name, Done done) override;
  std::shared_ptr<const Workflow> find(const std::string& name) const override;
  std::vector<std::shared_ptr<const Workflow>> list() const override;

  /// What the nodes are served as, those too that come or go.
  std::set<std::string> models() const;

  /// Serves the archives that are among the controller's paths, and in folders that are. Blocks until each is served or
  /// has failed, which the log tells.
  void serve_found();
  /// No archive that serve_found() came by has failed.
  bool all_ready() const { return !failed_; }

 private:
  /// One that is on its way.
  struct Registration;
  using RegistrationPtr = std::shared_ptr<Registration>;

  /// Has `task` run by a thread that may block; false: the server is stopping.
  bool run(std::function<void()> task) { return core_.pool_.run(std::move(task)); }
  void add_now(const WorkflowAddition& addition, Added done);
  /// `archive`: a file here.
  void begin(const WorkflowAddition& addition, LocalCopy archive, Added done);
  Result<RegistrationPtr> open(const WorkflowAddition& addition, LocalCopy archive);
  void serve_node(const RegistrationPtr& registration, size_t node);
  Result<std::shared_ptr<const ModelTarget>> target_of_node(const Registration& registration, size_t node,
                                                            AddedModel& added, const std::atomic<bool>& cancelled);
  Result<std::shared_ptr<const ModelTarget>> target_of_archive(const Registration& registration, size_t node,
                                                               AddedModel& added, const std::atomic<bool>& cancelled);
  Result<std::shared_ptr<const ModelTarget>> target_of_function(const Registration& registration, size_t node,
                                                                AddedModel& added, const std::atomic<bool>& cancelled);
  void scale_node(const Registration& registration, size_t node, const AddedModel& added, bool says_workers);
  void node_ended(const RegistrationPtr& registration, size_t node, const Status& status);
  void end(const RegistrationPtr& registration);
  /// Takes the names of a workflow and its nodes; an error: somebody has one of them.
  Status claim(const Workflow& workflow);
  /// Gives them back, once its models have gone.
  void release(const Workflow& workflow);
  void let_go(const std::vector<std::string>& models);

  ControllerCore& core_;
  std::atomic<bool> failed_{false};
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<const Workflow>> served_ MM_GUARDED_BY(mutex_);
  // Of workflows that are served, or come or go: one has all of its names or none.
  std::set<std::string> names_ MM_GUARDED_BY(mutex_);
  std::set<std::string> models_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
