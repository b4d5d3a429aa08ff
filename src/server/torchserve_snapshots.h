#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/mutex.h"
#include "catalog/catalog.h"
#include "catalog/model_control.h"
#include "catalog/workflow_control.h"
#include "server/torchserve_snapshot_config.h"

namespace modelmill {

/// Writes what is served as TorchServe does: files that it, and --ts-config, can be started with. Models whose archive
/// is not in the store can't be named there, and workflows' are not, as there. Thread-safe.
class TorchserveSnapshots {
 public:
  TorchserveSnapshots(TorchserveSnapshotConfig config, const Catalog& catalog, const ModelControl& control,
                      const WorkflowControl& workflows)
      : config_(std::move(config)), catalog_(catalog), control_(control), workflows_(workflows) {}

  /// `kind`: "startup", "snapshot" or "shutdown". A file that can't be written is told of in the log. Blocks on the
  /// disk.
  void save(std::string_view kind);

 private:
  std::string models_json(const std::string& name) const;

  const TorchserveSnapshotConfig config_;
  const Catalog& catalog_;
  const ModelControl& control_;
  const WorkflowControl& workflows_;
  Mutex mutex_;  // one file at a time, so that the last one says what is so
};

/// A control plane that has a snapshot saved after each change. Thread-safe.
class SnapshottingControl final : public ModelControl {
 public:
  /// Both outlive it.
  SnapshottingControl(ModelControl& inner, TorchserveSnapshots& snapshots) : inner_(inner), snapshots_(snapshots) {}

  void load(ModelLoad load, Done done) override { inner_.load(std::move(load), saving(std::move(done))); }
  void unload(ModelUnload unload, Done done) override { inner_.unload(std::move(unload), saving(std::move(done))); }
  void serve_listed(TfServingConfig list, Done done) override {
    inner_.serve_listed(std::move(list), saving(std::move(done)));
  }
  void assign(VersionAssignment assignment, Done done) override {
    inner_.assign(std::move(assignment), saving(std::move(done)));
  }
  void add(ModelAddition addition, Added done) override;
  void withdraw(const std::string& model, int64_t version, Done done) override {
    inner_.withdraw(model, version, saving(std::move(done)));
  }
  void scale(InstanceRequest request, Done done) override { inner_.scale(std::move(request), saving(std::move(done))); }
  Result<ServedPlace> place(const std::string& model, int64_t version) const override {
    return inner_.place(model, version);
  }

 private:
  Done saving(Done done);

  ModelControl& inner_;
  TorchserveSnapshots& snapshots_;
};

}  // namespace modelmill
