package sys

const sysMembarrier = 324
