# What `make install` puts on a machine: the program, the library shared and static, its headers, and the two ways build
# systems ask for it (umbel.pc, find_package(Umbel)). All of it may be moved together: nothing holds an absolute path.

# ---- shared: only what a header declares UMBEL_API is visible ---------------------------------------------------------
add_library(umbel_shared SHARED $<TARGET_OBJECTS:umbel_core>)
set_target_properties(umbel_shared PROPERTIES OUTPUT_NAME umbel VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
                                              LINKER_LANGUAGE C)
target_link_libraries(umbel_shared PRIVATE PkgConfig::DEPS ${MSGPACK_LIBRARY} Threads::Threads m ${CMAKE_DL_LIBS})
if(NOT UMBEL_SANITIZE AND NOT UMBEL_FUZZ)
  target_link_options(umbel_shared PRIVATE -Wl,-z,defs)
endif()

# ---- static: one object whose inner names are local, so that they never meet a user's own -----------------------------
set(UMBEL_STATIC ${CMAKE_CURRENT_BINARY_DIR}/libumbel.a)
add_custom_command(
  OUTPUT ${UMBEL_STATIC}
  COMMAND ${CMAKE_LINKER} -r -o umbel.o --whole-archive $<TARGET_FILE:umbel_core>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden umbel.o
  COMMAND ${CMAKE_COMMAND} -E rm -f ${UMBEL_STATIC}
  COMMAND ${CMAKE_AR} rcs ${UMBEL_STATIC} umbel.o
  DEPENDS umbel_core
  WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
  COMMENT "Linking one object for libumbel.a"
  VERBATIM)
add_custom_target(umbel_static ALL DEPENDS ${UMBEL_STATIC})

# ---- headers ----------------------------------------------------------------------------------------------------------
install(TARGETS umbel_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${UMBEL_STATIC} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/umbel.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${UMBEL_PUBLIC_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/umbel)

# ---- umbel.pc and UmbelConfig.cmake -------------------------------------------------------------------------------------
# What the static library needs besides itself; the shared one brings its own.
set(UMBEL_PRIVATE_LIBRARIES rabbitmq hiredis uv sqlite3 ssl crypto z msgpackc pthread m dl)
list(TRANSFORM UMBEL_PRIVATE_LIBRARIES PREPEND -l OUTPUT_VARIABLE UMBEL_PRIVATE_FLAGS)
list(JOIN UMBEL_PRIVATE_FLAGS " " UMBEL_PRIVATE_FLAGS)
file(RELATIVE_PATH UMBEL_PC_TO_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/umbel.pc.in umbel.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/umbel.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(UMBEL_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Umbel)
configure_package_config_file(cmake/UmbelConfig.cmake.in UmbelConfig.cmake INSTALL_DESTINATION ${UMBEL_CMAKE_DIR}
                              PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(UmbelConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/UmbelConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/UmbelConfigVersion.cmake
        DESTINATION ${UMBEL_CMAKE_DIR})

# ---- the manual ---------------------------------------------------------------------------------------------------------
# From the headers and the program's own help, by a shell and awk.
if(NOT CMAKE_CROSSCOMPILING)
  set(UMBEL_MAN ${CMAKE_CURRENT_BINARY_DIR}/man)
  add_custom_command(
    OUTPUT ${UMBEL_MAN}/man1/umbel.1
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${UMBEL_MAN}
    COMMAND sh ${PROJECT_SOURCE_DIR}/scripts/manuals ${UMBEL_MAN} $<TARGET_FILE:umbel_program>
    DEPENDS umbel_program scripts/manuals scripts/manuals.awk ${UMBEL_PUBLIC_HEADERS}
    COMMENT "Writing the manual"
    VERBATIM)
  add_custom_target(umbel_manuals ALL DEPENDS ${UMBEL_MAN}/man1/umbel.1)
  install(DIRECTORY ${UMBEL_MAN}/ DESTINATION ${CMAKE_INSTALL_MANDIR})
endif()
