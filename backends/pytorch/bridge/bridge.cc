// The bridge's entry: see ../bridge.h.
#include "pytorch/bridge.h"

#include <ATen/Parallel.h>
#include <torch/version.h>

#include <mutex>

#include "script.h"

namespace modelmill::pytorch {
namespace {

class TorchBridge final : public Bridge {
 public:
  std::string version() const override {
    return std::to_string(TORCH_VERSION_MAJOR) + "." + std::to_string(TORCH_VERSION_MINOR) + "." +
           std::to_string(TORCH_VERSION_PATCH);
  }

  bool set_fork_threads(int count) override {
    const std::lock_guard lock(mutex_);
    if (fork_threads_ == 0) {
      try {
        at::set_num_interop_threads(count);
        fork_threads_ = count;
      } catch (const std::exception&) {
        fork_threads_ = at::get_num_interop_threads();
      }
    }
    return fork_threads_ == count;
  }

  std::unique_ptr<BridgeModel> load_script(const std::string& file) override { return pytorch::load_script(file); }
  std::unique_ptr<BridgeModel> load_package(const std::string& file, const std::string& model, int runners) override {
    return pytorch::load_package(file, model, runners);
  }

 private:
  std::mutex mutex_;
  int fork_threads_ = 0;  // guarded by mutex_; 0: not settled
};

}  // namespace
}  // namespace modelmill::pytorch

extern "C" MM_EXPORT modelmill::pytorch::Bridge* modelmill_torch_bridge(uint32_t version) {
  static auto* const bridge = new modelmill::pytorch::TorchBridge;
  return version == modelmill::pytorch::kBridgeVersion ? bridge : nullptr;
}
