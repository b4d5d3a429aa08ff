#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "catalog/model_control.h"
#include "lifecycle/registered_version.h"
#include "server/torchserve_snapshot_config.h"

namespace modelmill {

/// Writes what is to be served as TorchServe does: files that it, and --ts-config, can be started with. Models whose
/// archive is not in the store can't be named there; those from URLs are noted beside, for --ts-config. Thread-safe.
class TorchserveSnapshots {
 public:
  /// What is to be served, without what is of workflows, which are in no snapshot there.
  using Registered = std::function<std::vector<RegisteredVersion>()>;

  TorchserveSnapshots(TorchserveSnapshotConfig config, Registered registered)
      : config_(std::move(config)), registered_(std::move(registered)) {}

  /// `kind`: "startup", "snapshot" or "shutdown". A file that can't be written is told of in the log. Blocks on the
  /// disk.
  void save(std::string_view kind);
  /// Something was changed. Before the startup is saved, that would be of models that happen to be known by then.
  void save_change() {
    if (started_) save("snapshot");
  }

 private:
  std::string models_json(const std::string& name) const;

  const TorchserveSnapshotConfig config_;
  const Registered registered_;
  std::atomic<bool> started_{false};
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
