#include "lifecycle/owned_version.h"

#include <utility>

#include "base/mutex.h"

namespace modelmill {

struct OwnedVersion::Returned {
  Mutex mutex;
  CondVar changed;
  bool all MM_GUARDED_BY(mutex) = false;
};

OwnedVersion::OwnedVersion(std::shared_ptr<ModelVersion> version)
    : version_(std::move(version)), returned_(std::make_shared<Returned>()) {
  share_ = std::shared_ptr<ModelVersion>(version_.get(), [returned = returned_](ModelVersion*) {
    const MutexLock lock(returned->mutex);
    returned->all = true;
    returned->changed.notify_all();
  });
}

OwnedVersion::~OwnedVersion() {
  version_->gate().close();
  // What waits for an instance gets one.
  if (!version_->suspended() && !version_->instance_limits().fixed() && version_->load().instances == 0)
    (void)version_->set_instances(1, ScalingReason::kUnload, "the last requests wait");
  version_->gate().wait_empty();
  share_.reset();
  const MutexLock lock(returned_->mutex);
  while (!returned_->all) returned_->changed.wait(returned_->mutex);
}

}  // namespace modelmill
