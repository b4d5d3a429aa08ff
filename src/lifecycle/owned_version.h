#pragma once

#include <memory>

#include "catalog/model_version.h"

namespace modelmill {

/// A loaded version in the hands of the control plane. Others get shares for their tables; it is destroyed by its
/// owner, on the owner's thread, whoever had the last share. To destroy it is to retire it.
class OwnedVersion {
 public:
  explicit OwnedVersion(std::shared_ptr<ModelVersion> version);
  /// Closes the gate, and waits for the last request inside and the last share. No table may have it any more.
  ~OwnedVersion();
  OwnedVersion(const OwnedVersion&) = delete;
  OwnedVersion& operator=(const OwnedVersion&) = delete;

  const std::shared_ptr<ModelVersion>& share() const { return share_; }
  ModelVersion& operator*() const { return *share_; }
  ModelVersion* operator->() const { return share_.get(); }

 private:
  struct Returned;

  std::shared_ptr<ModelVersion> version_;
  std::shared_ptr<Returned> returned_;
  std::shared_ptr<ModelVersion> share_;
};

}  // namespace modelmill
