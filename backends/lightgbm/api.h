#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "modelmill/backend.hpp"

namespace modelmill::lightgbm {

using BoosterHandle = void*;
using FastHandle = void*;  // a prediction of single rows, prepared once

// Numbers of LightGBM's C API.
inline constexpr int kFloat32 = 0;
inline constexpr int kFloat64 = 1;
inline constexpr int kPredictValue = 0;
inline constexpr int kPredictMargin = 1;
inline constexpr int kPredictLeaf = 2;
inline constexpr int kPredictContributions = 3;

/// The functions of LightGBM's C API that are used, as its documentation describes them. All but the first return 0, or
/// -1 and leave a message behind for the calling thread.
struct Api {
  const char* (*last_error)();
  int (*register_log)(void (*callback)(const char* text));
  int (*load)(const char* file, int* iterations, BoosterHandle* out);
  int (*free)(BoosterHandle booster);
  int (*class_count)(BoosterHandle booster, int* out);
  int (*feature_count)(BoosterHandle booster, int* out);
  int (*feature_names)(BoosterHandle booster, int capacity, int* count, size_t text_capacity, size_t* text_size,
                       char** texts);
  int (*result_count)(BoosterHandle booster, int rows, int predict_type, int start_iteration, int iterations,
                      int64_t* out);
  int (*predict_rows)(BoosterHandle booster, const void* rows, int data_type, int32_t row_count, int32_t columns,
                      int row_major, int predict_type, int start_iteration, int iterations, const char* parameters,
                      int64_t* result_count, double* results);
  int (*prepare_fast)(BoosterHandle booster, int predict_type, int start_iteration, int iterations, int data_type,
                      int32_t columns, const char* parameters, FastHandle* out);
  int (*predict_fast)(FastHandle fast, const void* row, int64_t* result_count, double* results);
  int (*free_fast)(FastHandle fast);
};

/// The library's functions; set once it is open.
extern Api api;

/// Takes the functions out of a library. Returns why it can't be used, or an empty text.
std::string bind_api(void* handle, const std::string& path);

/// The version of the Python package that a library lies in; empty for one that lies elsewhere, since the library does
/// not tell.
std::string version_of_package(const std::string& path);

/// Throws what the library says of its last error.
void check(int result);

}  // namespace modelmill::lightgbm
