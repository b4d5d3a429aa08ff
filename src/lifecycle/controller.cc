#include "lifecycle/controller.h"

#include <utility>

#include "lifecycle/controller_core.h"

namespace modelmill {
namespace {

BackendSource source_of(BackendRegistry& backends) {
  return {[&backends] { return backends.available(); },
          [&backends](const std::string& backend, const std::string& extra) { return backends.find(backend, extra); },
          [&backends](const std::string& backend, const BackendLoad& load, const std::string& extra) {
            return backends.load(backend, load, extra);
          }};
}

}  // namespace

struct LifecycleController::Rep {
  ControllerCore core;
};

LifecycleController::LifecycleController(Catalog& catalog, BackendRegistry& backends, MetricRegistry& metrics,
                                         VersionFactory factory, Options options)
    : rep_(new Rep{
          {catalog, source_of(backends), metrics, std::move(factory), std::move(options.load), options.load_threads}}) {
  rep_->core.start();
}

LifecycleController::~LifecycleController() = default;

Status LifecycleController::load_paths(const std::vector<std::string>& paths) { return rep_->core.load_paths(paths); }
bool LifecycleController::all_ready() const { return rep_->core.all_ready(); }
void LifecycleController::shutdown() { rep_->core.shutdown(); }

}  // namespace modelmill
