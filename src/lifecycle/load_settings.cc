#include "lifecycle/load_settings.h"

#include <algorithm>
#include <thread>

#include "lifecycle/gpu_models.h"
#include "lifecycle/machine_gpus.h"

namespace modelmill {

LoadSettings settings_of_this_machine() {
  LoadSettings settings;
  settings.cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  settings.gpus = machine_gpus(gpu_signs());
  settings.gpu_models = gpu_models();
  return settings;
}

}  // namespace modelmill
