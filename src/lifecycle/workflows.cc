#include "lifecycle/workflows.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "lifecycle/version_loader.h"
#include "storage/source_url.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

Workflow workflow_of(const WorkflowArchive& archive, const std::string& place) {
  const WorkflowArchive::Settings& all = archive.settings;
  Workflow out{archive.name, place, all.min_workers, all.max_workers, all.batch_size, all.max_batch_delay,
               archive.dag,  {}};
  for (const WorkflowArchive::Node& node : archive.nodes)
    out.nodes.push_back({node.name, workflow_model_name(archive.name, node.name), node.settings.retries,
                         node.settings.timeout, node.next, node.inputs});
  return out;
}

/// Archives of workflows at a path, or in the folder that it is.
std::vector<std::string> archives_at(const std::string& path) {
  std::error_code error;
  if (is_workflow_archive_name(path) && fs::is_regular_file(path, error)) return {path};
  std::vector<std::string> out;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code of_entry;
    if (is_workflow_archive_name(name) && !name.starts_with('.') && it->is_regular_file(of_entry))
      out.push_back(it->path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

struct Workflows::Registration {
  WorkflowArchive archive;
  std::shared_ptr<const Workflow> workflow;
  std::string file;    // the archive, here
  LocalCopy unpacked;  // what is in it
  bool remote = false;
  std::shared_ptr<const void> held;
  Added done;

  Mutex mutex;
  size_t missing MM_GUARDED_BY(mutex) = 0;  // nodes
  std::vector<std::string> failures MM_GUARDED_BY(mutex);
  std::vector<std::string> begun MM_GUARDED_BY(mutex);  // models that are, or may be, served
};

void Workflows::add(WorkflowAddition addition, Added done) {
  if (const Status refused = core_.refuse_clients(); !refused.ok()) return done(refused);
  auto shared = std::make_shared<std::pair<WorkflowAddition, Added>>(std::move(addition), std::move(done));
  if (!run([this, shared] { add_now(shared->first, shared->second); }))
    shared->second(unavailable("the server is stopping"));
}

void Workflows::add_now(const WorkflowAddition& addition, Added done) {
  const ControllerCore::Bringing bringing(core_, addition.workflow, false);
  const bool remote = is_remote_url(addition.place);
  if (!remote && addition.place.find("..") != std::string::npos)
    return done(not_found("Relative path is not allowed in url: " + addition.place));
  auto archive = core_.find_place(addition.place, bringing.cancelled);
  std::error_code error;
  if (archive.ok() && !fs::is_regular_file(archive->path, error))
    archive = not_found("Workflow not found at: " + addition.place);
  if (!archive.ok() && !remote) return done(not_found("Workflow not found in workflow store: " + addition.place));
  if (archive.status().code() == Code::kPermissionDenied) return done(archive.status());
  if (!archive.ok())
    return done(
        invalid_argument("Failed to download archive from: " + addition.place + "; " + archive.status().message()));
  begin(addition, *std::move(archive), std::move(done));
}

void Workflows::begin(const WorkflowAddition& addition, LocalCopy archive, Added done) {
  auto opened = open(addition, std::move(archive));
  if (!opened.ok()) return done(opened.status());
  const RegistrationPtr registration = *std::move(opened);
  if (const Status claimed = claim(*registration->workflow); !claimed.ok()) return done(claimed);
  const size_t nodes = registration->archive.nodes.size();
  {
    const MutexLock lock(registration->mutex);
    registration->missing = nodes;
  }
  registration->done = std::move(done);
  for (size_t node = 0; node < nodes; ++node)
    if (!run([this, registration, node] { serve_node(registration, node); }))
      node_ended(registration, node, unavailable("the server is stopping"));
}

Result<Workflows::RegistrationPtr> Workflows::open(const WorkflowAddition& addition, LocalCopy archive) {
  const ControllerCore::Bringing bringing(core_, addition.workflow, false);
  Archives::Look look{Clock::now(), true};
  auto registration = std::make_shared<Registration>();
  registration->file = archive.path;
  registration->held = archive.held;
  registration->remote = is_remote_url(addition.place);
  registration->unpacked = core_.archives_.open(archive.path, look, bringing.cancelled);
  if (const Status& problem = registration->unpacked.problem; !problem.ok())
    return problem.with_context("'" + addition.place + "'");
  MM_ASSIGN_OR_RETURN(registration->archive, read_workflow_archive(registration->unpacked.path, addition.workflow));
  registration->workflow = std::make_shared<const Workflow>(workflow_of(registration->archive, addition.place));
  return registration;
}

void Workflows::serve_node(const RegistrationPtr& registration, size_t node) {
  const std::string& model = registration->workflow->nodes[node].model;
  const ControllerCore::Bringing bringing(core_, model, false);
  bool known = false;
  {
    const MutexLock lock(core_.mutex_);
    const auto it = core_.models_.find(model);
    known = it != core_.models_.end() && !it->second.gone && (it->second.awake || it->second.target);
  }
  if (known)
    return node_ended(registration, node, already_exists("there is a model of that name; unregister it first"));
  AddedModel added;
  const auto target = target_of_node(*registration, node, added, bringing.cancelled);
  if (!target.ok()) return node_ended(registration, node, target.status());
  {
    const MutexLock lock(registration->mutex);
    registration->begun.push_back(model);
  }
  const auto& layers = (*target)->found.layers;
  const bool says_workers = std::any_of(layers.begin(), layers.end(),
                                        [](const ModelLayer& layer) { return layer.instance_range.has_value(); });
  const auto reached = [this, registration, node, added, says_workers](const Status& status) {
    if (!status.ok()) return node_ended(registration, node, status);
    // Further instances take their time, which is not that of who tells.
    if (!run([this, registration, node, added, says_workers] {
          scale_node(*registration, node, added, says_workers);
          node_ended(registration, node, ok_status());
        }))
      node_ended(registration, node, unavailable("the server is stopping"));
  };
  if (!core_.serve_target(model, *target, reached)) reached(unavailable("the server is stopping"));
}

Result<std::shared_ptr<const ModelTarget>> Workflows::target_of_node(const Registration& registration, size_t node,
                                                                     AddedModel& added,
                                                                     const std::atomic<bool>& cancelled) {
  return registration.archive.nodes[node].url.empty() ? target_of_function(registration, node, added, cancelled)
                                                      : target_of_archive(registration, node, added, cancelled);
}

/// It is looked for where clients' registrations are, and beside an archive of the operator's.
Result<std::shared_ptr<const ModelTarget>> Workflows::target_of_archive(const Registration& registration, size_t node,
                                                                        AddedModel& added,
                                                                        const std::atomic<bool>& cancelled) {
  const WorkflowArchive::Node& said = registration.archive.nodes[node];
  auto copy = core_.find_place(said.url, cancelled);
  const fs::path beside = fs::path(registration.file).parent_path() / said.url;
  std::error_code error;
  if (!copy.ok() && core_.is_plain_name(said.url) && !registration.remote && fs::exists(beside, error))
    copy = LocalCopy{beside.string()};
  if (!copy.ok()) return copy.status();
  ModelAddition addition{said.url, registration.workflow->nodes[node].model};
  addition.batch_size = said.settings.batch_size;
  addition.batch_delay = said.settings.max_batch_delay;
  return core_.target_with(addition, *copy, added, cancelled);
}

Result<std::shared_ptr<const ModelTarget>> Workflows::target_of_function(const Registration& registration, size_t node,
                                                                         AddedModel& added,
                                                                         const std::atomic<bool>& cancelled) {
  FoundModel found = workflow_function(registration.archive, registration.archive.nodes[node],
                                       registration.unpacked.path, formats_of(core_.backends_));
  found.archives = {registration.file};
  found.held = {registration.unpacked.held, registration.held};
  Archives::Look archives{Clock::now(), true};
  SeenModel seen = look_at(std::move(found), core_.look_options({}, archives, cancelled));
  MM_RETURN_IF_ERROR(seen.problem);
  added = {seen.name(), seen.wanted.back().version};
  return modelmill::target_of(std::move(seen), core_.control_.allow_breaking, nullptr, true);
}

void Workflows::scale_node(const Registration& registration, size_t node, const AddedModel& added, bool says_workers) {
  const WorkflowArchive::Node& said = registration.archive.nodes[node];
  // One worker runs a function, and what an archive says itself counts more.
  if (said.url.empty() || says_workers) return;
  const int most = std::max(said.settings.min_workers, said.settings.max_workers);
  const Status status = core_.scale_now({added.model, added.version, said.settings.min_workers, most});
  if (!status.ok() && status.code() != Code::kFailedPrecondition)
    Log::warning("a workflow's model has not the workers that were asked for",
                 {{"model", added.model}, {"reason", status.message()}});
}

void Workflows::node_ended(const RegistrationPtr& registration, size_t node, const Status& status) {
  bool last = false;
  {
    const MutexLock lock(registration->mutex);
    if (!status.ok())
      registration->failures.push_back("Workflow Node " + registration->workflow->nodes[node].model +
                                       " failed to register. Details: " + status.message());
    last = --registration->missing == 0;
  }
  if (last) end(registration);
}

void Workflows::end(const RegistrationPtr& registration) {
  const std::string& name = registration->workflow->name;
  std::string failures;
  std::vector<std::string> begun;
  {
    const MutexLock lock(registration->mutex);
    for (const std::string& failure : registration->failures) failures += (failures.empty() ? "" : ", ") + failure;
    begun = registration->begun;
  }
  if (!failures.empty()) {
    let_go(begun);
    release(*registration->workflow);
    return registration->done(internal("Workflow " + name + " has failed to register. Failures: [" + failures + "]"));
  }
  {
    const MutexLock lock(mutex_);
    served_.emplace(name, registration->workflow);
  }
  Log::info("workflow registered", {{"workflow", name}, {"archive", fs::path(registration->file).filename().string()}});
  registration->done(registration->workflow);
}

void Workflows::let_go(const std::vector<std::string>& models) {
  ControllerCore::Aftermath after;
  {
    const MutexLock lock(core_.mutex_);
    for (const std::string& name : models)
      if (const auto model = core_.models_.find(name); model != core_.models_.end() && !model->second.gone)
        core_.let_go(model->second, after);
    core_.publish(after);
  }
  core_.finish_aftermath(std::move(after));
}

void Workflows::remove(const std::string& name, Done done) {
  if (const Status refused = core_.refuse_clients(); !refused.ok()) return done(refused);
  std::shared_ptr<const Workflow> gone;
  {
    const MutexLock lock(mutex_);
    if (const auto at = served_.find(name); at != served_.end()) {
      gone = at->second;
      served_.erase(at);  // its names stay until its models have gone
    }
  }
  if (!gone) return done(not_found("Workflow not found: " + name));
  const auto task = [this, gone, done] {
    std::vector<std::string> models;
    for (const Workflow::Node& node : gone->nodes) models.push_back(node.model);
    let_go(models);
    release(*gone);
    Log::info("workflow unregistered", {{"workflow", gone->name}});
    done(ok_status());
  };
  if (!run(task)) done(unavailable("the server is stopping"));
}

Status Workflows::claim(const Workflow& workflow) {
  const MutexLock lock(mutex_);
  if (names_.contains(workflow.name)) return already_exists("Workflow " + workflow.name + " is already registered.");
  for (const Workflow::Node& node : workflow.nodes)
    if (models_.contains(node.model))
      return already_exists("Workflow " + workflow.name + " has the node " + node.name +
                            ", and another workflow's is " + node.model + " as well; give it another workflow_name.");
  names_.insert(workflow.name);
  for (const Workflow::Node& node : workflow.nodes) models_.insert(node.model);
  return ok_status();
}

void Workflows::release(const Workflow& workflow) {
  const MutexLock lock(mutex_);
  names_.erase(workflow.name);
  for (const Workflow::Node& node : workflow.nodes) models_.erase(node.model);
}

std::set<std::string> Workflows::models() const {
  const MutexLock lock(mutex_);
  return models_;
}

std::shared_ptr<const Workflow> Workflows::find(const std::string& name) const {
  const MutexLock lock(mutex_);
  const auto at = served_.find(name);
  return at == served_.end() ? nullptr : at->second;
}

std::vector<std::shared_ptr<const Workflow>> Workflows::list() const {
  std::vector<std::shared_ptr<const Workflow>> out;
  const MutexLock lock(mutex_);
  for (const auto& [name, workflow] : served_) out.push_back(workflow);
  return out;
}

void Workflows::serve_found() {
  std::vector<std::string> archives;
  for (const std::string& path : core_.sources()->paths) {
    const std::vector<std::string> here = archives_at(path);
    archives.insert(archives.end(), here.begin(), here.end());
  }
  Mutex mutex;
  CondVar changed;
  size_t missing = archives.size();
  for (const std::string& archive : archives) {
    const std::string file = fs::path(archive).filename().string();
    begin({file}, LocalCopy{archive}, [&, archive](const Result<std::shared_ptr<const Workflow>>& served) {
      if (!served.ok()) {
        failed_ = true;
        Log::error("workflow not served", {{"archive", archive}, {"reason", served.status().message()}});
      }
      const MutexLock lock(mutex);
      --missing;
      changed.notify_all();
    });
  }
  const MutexLock lock(mutex);
  while (missing > 0) changed.wait(mutex);
}

}  // namespace modelmill
