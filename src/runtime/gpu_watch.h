#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace modelmill {

/// What a GPU of the machine does; nullopt where its driver doesn't tell.
struct GpuReading {
  unsigned index = 0;                 // the driver's
  std::string uuid;                   // "GPU-..."
  std::optional<double> utilization;  // of its time, from 0 to 1
  std::optional<uint64_t> memory_total, memory_used;
  std::optional<double> power_watts, power_limit_watts;
  std::optional<double> energy_joules;  // since the driver was loaded
};

/// NVIDIA's management library, which tells of GPUs whatever uses them. Thread-safe, as the library is.
class GpuWatch {
 public:
  /// Its functions, by which alone it is spoken to; those that are null have nothing to tell. Each returns 0, or an
  /// error.
  struct Library {
    struct Utilization {
      unsigned gpu, memory;  // percent
    };
    struct Memory {
      unsigned long long total, free, used;
    };
    int (*init)() = nullptr;
    int (*count)(unsigned*) = nullptr;
    int (*device)(unsigned, void**) = nullptr;
    int (*uuid)(void*, char*, unsigned) = nullptr;
    int (*utilization)(void*, Utilization*) = nullptr;
    int (*memory)(void*, Memory*) = nullptr;
    int (*power)(void*, unsigned*) = nullptr;             // milliwatts
    int (*power_limit)(void*, unsigned*) = nullptr;       // likewise
    int (*energy)(void*, unsigned long long*) = nullptr;  // millijoules
  };

  /// Watches the GPUs that the library knows; none where it can't.
  explicit GpuWatch(const Library& library);

  std::vector<GpuReading> read() const;

 private:
  struct Device {
    unsigned index;
    void* handle;
    std::string uuid;
  };

  const Library library_;
  std::vector<Device> devices_;
};

/// The machine's, by the library that comes with the driver, which is opened when this is called first; none without
/// it.
std::vector<GpuReading> read_machine_gpus();

}  // namespace modelmill
