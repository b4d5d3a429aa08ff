# mm_proto(TARGET protos... [IMPORTS dirs...] [DEPS targets...])
# A static library of the messages of the given .proto files. Includes are by file name alone: `#include "x.pb.h"` in C++
# and `import "x.proto"` in other protos. IMPORTS: folders whose protos are imported; DEPS: their mm_proto targets.
# Generated code has warnings of its own, so it is compiled without ours, and its headers are system headers.
function(mm_proto target)
  cmake_parse_arguments(P "" "" "IMPORTS;DEPS" ${ARGN})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${target})
  file(MAKE_DIRECTORY ${out})
  set(include_flags)
  foreach(dir ${P_IMPORTS})
    get_filename_component(dir ${dir} ABSOLUTE)
    list(APPEND include_flags -I${dir})
  endforeach()
  set(generated)
  foreach(proto ${P_UNPARSED_ARGUMENTS})
    get_filename_component(path ${proto} ABSOLUTE)
    get_filename_component(folder ${path} DIRECTORY)
    get_filename_component(stem ${path} NAME_WE)
    add_custom_command(
      OUTPUT ${out}/${stem}.pb.cc ${out}/${stem}.pb.h
      COMMAND protobuf::protoc --cpp_out=${out} -I${folder} ${include_flags} ${path}
      DEPENDS ${path} protobuf::protoc
      COMMENT "Generating ${stem}.pb.cc"
      VERBATIM)
    list(APPEND generated ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
  endforeach()
  add_library(${target} STATIC ${generated})
  target_include_directories(${target} SYSTEM PUBLIC ${out})
  target_compile_options(${target} PRIVATE -w)
  set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
  target_link_libraries(${target} PUBLIC mm_protobuf ${P_DEPS})
endfunction()
