#pragma once

#include <cstdint>
#include <string>

#include "modelmill/backend.hpp"

namespace modelmill::xgboost {

using BoosterHandle = void*;
using MatrixHandle = void*;

/// The functions of XGBoost's C API that are used, as its documentation describes them. All but the first two return 0,
/// or -1 and leave a message behind for the calling thread.
struct Api {
  const char* (*last_error)();
  void (*version)(int* major, int* minor, int* patch);
  int (*create)(const MatrixHandle* matrices, uint64_t count, BoosterHandle* out);
  int (*free)(BoosterHandle booster);
  int (*set_parameter)(BoosterHandle booster, const char* name, const char* value);
  int (*load_from_buffer)(BoosterHandle booster, const void* bytes, uint64_t size);
  int (*save_config)(BoosterHandle booster, uint64_t* size, const char** json);
  int (*feature_count)(BoosterHandle booster, uint64_t* out);
  int (*feature_info)(BoosterHandle booster, const char* field, uint64_t* count, const char*** texts);
  int (*attribute)(BoosterHandle booster, const char* key, const char** text, int* found);
  int (*predict_dense)(BoosterHandle booster, const char* array, const char* config, MatrixHandle meta,
                       const uint64_t** shape, uint64_t* rank, const float** result);
  int (*predict_matrix)(BoosterHandle booster, MatrixHandle matrix, const char* config, const uint64_t** shape,
                        uint64_t* rank, const float** result);
  int (*make_proxy)(MatrixHandle* out);
  int (*make_matrix)(const char* array, const char* config, MatrixHandle* out);
  int (*free_matrix)(MatrixHandle matrix);
};

/// The library's functions; set once it is open.
extern Api api;

/// Takes the functions out of a library. Returns why it can't be used, or an empty text.
std::string bind_api(void* handle, const std::string& path);
/// "3.2.0", of the open library.
std::string library_version();

/// Throws what the library says of its last error.
void check(int result);

}  // namespace modelmill::xgboost
