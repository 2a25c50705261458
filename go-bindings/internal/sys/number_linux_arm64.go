package sys

const sysMembarrier = 283
