#include "lifecycle/controller.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lifecycle/controller_core.h"
#include "lifecycle/repository_watcher.h"
#include "lifecycle/workflows.h"

namespace modelmill {
namespace {

BackendSource source_of(BackendRegistry& backends) {
  return {[&backends] { return backends.available(); },
          [&backends](const std::string& backend, const std::string& extra) { return backends.find(backend, extra); },
          [&backends](const std::string& backend, const BackendLoad& load, const std::string& extra) {
            return backends.load(backend, load, extra);
          },
          [&backends](const std::string& backend, int device, const std::string& extra) {
            return backends.device_memory(backend, device, extra);
          }};
}

}  // namespace

struct LifecycleController::Rep {
  Rep(ControllerCore::Parts parts, Options options)
      : control(options.control),
        core(std::move(parts), std::move(options.load), std::move(options.control), options.load_threads) {}

  const ControlSettings control;
  ControllerCore core;
  Workflows workflows{core};
  std::unique_ptr<RepositoryWatcher> watcher;  // null: files don't decide
};

LifecycleController::LifecycleController(Catalog& catalog, Demand& demand, BackendRegistry& backends,
                                         MetricRegistry& metrics, VersionFactory factory, EnsembleFactory ensembles,
                                         Options options)
    : rep_(std::make_unique<Rep>(ControllerCore::Parts{catalog, demand, source_of(backends), metrics,
                                                       std::move(factory), options.states, std::move(ensembles)},
                                 std::move(options))) {
  rep_->core.start();
}

LifecycleController::~LifecycleController() { shutdown(); }

Status LifecycleController::load(const ModelSources& sources) {
  MM_RETURN_IF_ERROR(rep_->core.load_sources(sources));
  if (rep_->control.mode != ControlMode::kExplicit) rep_->workflows.serve_found();
  if (rep_->core.looks())
    rep_->watcher = std::make_unique<RepositoryWatcher>(
        rep_->control, RepositoryWatcher::Work{[this](TimePoint now) { return rep_->core.look(now); },
                                               [this] { return rep_->core.watched_folders(); }});
  return ok_status();
}

bool LifecycleController::all_ready() const { return rep_->core.all_ready() && rep_->workflows.all_ready(); }
ModelControl& LifecycleController::control() { return rep_->core; }
WorkflowControl& LifecycleController::workflows() { return rep_->workflows; }

std::vector<RegisteredVersion> LifecycleController::registered() const {
  // Before and after: one may come or go meanwhile.
  std::set<std::string> nodes = rep_->workflows.models();
  std::vector<RegisteredVersion> all = rep_->core.registered();
  nodes.merge(rep_->workflows.models());
  std::erase_if(all, [&](const RegisteredVersion& version) { return nodes.contains(version.model); });
  return all;
}

void LifecycleController::set_device_budgets(const DeviceBudgets& declared) { rep_->core.set_device_budgets(declared); }

void LifecycleController::hurry() { rep_->core.hurry(); }

void LifecycleController::shutdown() {
  rep_->core.hurry();
  rep_->watcher.reset();
  rep_->core.shutdown();
}

}  // namespace modelmill
