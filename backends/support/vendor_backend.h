#pragma once

#include <memory>
#include <string>
#include <utility>

#include "modelmill/backend.hpp"

namespace modelmill::backend {

/// A backend that runs models by a vendor's library. `Library` is made from the operator's "library" setting and the
/// plugin's folder, and has: Opened, with its `path` and `version`; open(problem), null with why it can't be had, and
/// tried again at the next call; remedy(), what a user does about that.
template <typename Library>
class VendorBackend : public Backend {
 public:
  void initialize(const Json& settings, const std::string& library_dir) override {
    library_ = std::make_unique<Library>(settings["library"].text(), library_dir);
  }

  RuntimeInfo runtime_info() override {
    RuntimeInfo out;
    const typename Library::Opened* opened = library_->open(&out.problem);
    out.available = opened != nullptr;
    if (opened == nullptr) {
      out.remedy = library_->remedy();
    } else {
      out.version = opened->version;
      out.path = opened->path;
    }
    describe(opened, out);
    return out;
  }

 protected:
  using Opened = typename Library::Opened;

  /// What else is to be said: the runtime's name, its devices. `opened` is null when the library can't be had.
  virtual void describe(const Opened* opened, RuntimeInfo& out) = 0;
  /// FAILED_PRECONDITION with the remedy when it can't be had.
  const Opened& opened() {
    std::string problem;
    const Opened* opened = library_->open(&problem);
    if (opened == nullptr) throw Error(MM_FAILED_PRECONDITION, problem + "; " + library_->remedy());
    return *opened;
  }

 private:
  std::unique_ptr<Library> library_;
};

}  // namespace modelmill::backend
