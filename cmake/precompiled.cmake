# The headers of the standard library, of Boost, protobuf and GoogleTest that many of our sources include, read once
# instead of a thousand times: a build takes two thirds of the time. Tests have them in every build with gcc, the rest only
# with sanitizers: what is shipped is compiled without. gcc wants the same options for such a header as for its users,
# hence two of them.

set(mm_precompiled_headers
  <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <cstdint> <cstring> <deque>
  <fstream> <functional> <future> <map> <memory> <mutex> <optional> <random> <set> <span> <sstream> <string>
  <string_view> <thread> <unordered_map> <utility> <variant> <vector> <boost/container/small_vector.hpp>)
set(mm_precompiled_protobuf <google/protobuf/generated_message_bases.h> <google/protobuf/map_entry.h>
  <google/protobuf/map_field_inl.h> <google/protobuf/unknown_field_set.h>)

# ccache asks for the first; and gcc 12 no longer knows of what is precompiled that it comes from others, and sees in it
# what is not there.
set(mm_precompiled_options $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess> $<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds>)

function(mm_precompiled_kind kind)
  cmake_parse_arguments(P "" "" "HEADERS;OPTIONS;DEPS" ${ARGN})
  set(empty ${CMAKE_BINARY_DIR}/precompiled/${kind}.cc)
  file(CONFIGURE OUTPUT ${empty} CONTENT "")
  add_library(mm_precompiled_${kind} OBJECT EXCLUDE_FROM_ALL ${empty})
  target_link_libraries(mm_precompiled_${kind} PRIVATE mm_options mm_protobuf ${P_DEPS})
  target_compile_options(mm_precompiled_${kind} PRIVATE ${P_OPTIONS} ${mm_precompiled_options})
  target_precompile_headers(mm_precompiled_${kind} PRIVATE ${P_HEADERS})
  set_target_properties(mm_precompiled_${kind} PROPERTIES UNITY_BUILD OFF)
endfunction()

set(mm_precompiles)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(headers ${mm_precompiled_headers} ${mm_precompiled_protobuf})
  if(MODELMILL_SANITIZE)
    list(APPEND mm_precompiles plain)
    mm_precompiled_kind(plain HEADERS ${headers})
  endif()
  list(APPEND mm_precompiles tests)
  mm_precompiled_kind(tests HEADERS ${headers} <gmock/gmock.h> <gtest/gtest.h> DEPS GTest::gmock OPTIONS -fPIE)
  set_target_properties(mm_precompiled_tests PROPERTIES POSITION_INDEPENDENT_CODE OFF)
endif()

# mm_precompiled(TARGET plain|tests)
function(mm_precompiled target kind)
  if(kind IN_LIST mm_precompiles)
    target_compile_options(${target} PRIVATE ${mm_precompiled_options})
    target_precompile_headers(${target} REUSE_FROM mm_precompiled_${kind})
  endif()
endfunction()
