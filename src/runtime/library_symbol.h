#pragma once

#include <dlfcn.h>

namespace modelmill {

/// Sets `function` to that of the library which dlopen gave, or to null where it has none of the name.
template <typename Function>
void find_symbol(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
}

}  // namespace modelmill
