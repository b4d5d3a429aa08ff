// A backend of another major version of the ABI: it must be refused when it is opened.

#include "modelmill/backend.h"

extern "C" MM_EXPORT const mm_backend* mm_backend_entry(const mm_host*) {
  static mm_backend table{};
  table.struct_size = sizeof table;
  table.abi_major = MM_ABI_MAJOR + 1;
  table.name = "old_abi";
  return &table;
}
