// A backend that shows four GPUs of 1,000 MiB which are not there, so that placement and memory are tested on every
// machine. Its models answer each row with the number of the device that ran it, -1 for the processor; executions run
// while the gate is open (see gate.cc). What they hold of a GPU is what their parameters say in MiB, which the backend
// tells: `weights_mib` on each GPU that an instance was made on, and of each instance `takes_mib`. Without them it
// can't tell.

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "gate.h"
#include "modelmill/backend.hpp"

namespace {

using namespace modelmill::backend;

constexpr int32_t kDevices = 4;
constexpr uint64_t kMib = 1 << 20;
constexpr uint64_t kTotal = 1000 * kMib;

std::array<std::atomic<uint64_t>, kDevices> taken{};

/// Bytes of a device, while it lives.
class Taken {
 public:
  Taken(int device, uint64_t bytes) : device_(device), bytes_(bytes) {
    if (device_ >= 0) taken.at(static_cast<size_t>(device_)) += bytes_;
  }
  ~Taken() {
    if (device_ >= 0) taken.at(static_cast<size_t>(device_)) -= bytes_;
  }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;

 private:
  const int device_;
  const uint64_t bytes_;
};

std::optional<uint64_t> mib_of(const ModelConfig& config, const char* parameter) {
  if (!config.parameter(parameter)) return std::nullopt;
  return static_cast<uint64_t>(config.parameter_int(parameter, 0)) * kMib;
}

class DevicesModel final : public Model {
 public:
  explicit DevicesModel(const ModelArgs& args)
      : gate_(args.config.parameter("gate").value_or("")),
        takes_(mib_of(args.config, "takes_mib")),
        weights_(mib_of(args.config, "weights_mib")) {
    info_.inputs = args.config.inputs();
    info_.outputs = args.config.outputs();
    // An instance that is made while the gate is closed is not to wait for it.
    info_.capabilities |= MM_CAP_NO_TRIALS;
    if (args.config.max_batch_size() > 0) info_.capabilities |= MM_CAP_ROWS_INDEPENDENT;
    info_.recommended_instances = 1;
  }

  ModelInfo info() override { return info_; }

  std::unique_ptr<Instance> create_instance(const InstanceArgs& args) override {
    struct OnDevice final : Instance {
      OnDevice(const DevicesModel& model, int device)
          : model(model), device(device), taken(device, model.takes_.value_or(0)) {}
      std::optional<uint64_t> gpu_bytes(int32_t) const override { return model.takes_; }
      void execute(Execution& execution) override {
        testing::pass_gate(model.gate_);
        for (Request& request : execution) {
          const mm_tensor input = request.input(0);
          Response response = request.respond();
          auto* out = static_cast<float*>(
              response.allocate(model.info_.outputs.at(0).name.c_str(), MM_FP32, {input.shape, input.rank}));
          for (uint64_t i = 0; i < input.element_count; ++i) out[i] = static_cast<float>(device);
          response.send();
        }
      }
      const DevicesModel& model;
      const int device;
      const Taken taken;
    };
    if (args.kind == MM_DEVICE_GPU) {
      auto& weights = on_.at(static_cast<size_t>(args.device_id));
      if (!weights) weights = std::make_unique<Taken>(args.device_id, weights_.value_or(0));
    }
    return std::make_unique<OnDevice>(*this, args.kind == MM_DEVICE_GPU ? args.device_id : -1);
  }

  std::optional<uint64_t> gpu_bytes(int32_t device) const override {
    if (!weights_) return std::nullopt;
    return on_.at(static_cast<size_t>(device)) ? weights_ : 0;
  }

 private:
  const std::string gate_;
  const std::optional<uint64_t> takes_, weights_;
  std::array<std::unique_ptr<Taken>, kDevices> on_;  // the weights
  ModelInfo info_;
};

struct DevicesBackend final : BackendOf<DevicesModel> {
  static constexpr const char* kName = "devices";
  static constexpr const char* kVersion = "1.0";
  RuntimeInfo runtime_info() override {
    RuntimeInfo info;
    info.runtime = "four devices";
    info.version = "1.0";
    info.devices = "CPU, GPU 0, GPU 1, GPU 2, GPU 3";
    info.gpu_count = kDevices;
    return info;
  }
  DeviceMemory device_memory(int32_t device) override {
    return {kTotal, kTotal - taken.at(static_cast<size_t>(device)), "GPU-fake-" + std::to_string(device)};
  }
};

}  // namespace

MODELMILL_BACKEND(DevicesBackend)
